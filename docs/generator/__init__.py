"""What the reference pages are made with: a module for each kind of page, and Markdown below them.

Admits reading the product's tables, records and docstrings, and writing them as Markdown. Nothing is said here that the
code could say itself.
"""
