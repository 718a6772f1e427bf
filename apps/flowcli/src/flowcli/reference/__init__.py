"""Writes reference pages of node types from their catalog entries: Markdown, and HTML made of it."""

__all__: list[str] = []
