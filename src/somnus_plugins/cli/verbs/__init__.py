"""The verbs of the command line, one module each with one function `run`.

Admits translation only: words to a question, the answer to lines. Whatever a verb needs beyond the parser is imported
inside it.
"""
