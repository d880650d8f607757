"""Search a folder of text and Markdown files."""

from documents.plugin import Documents

__all__ = ["Documents"]
