"""A node of one's own."""

from flowruntime.authoring import node


@node(effects="pure")
def reading_time(text: str, *, words_per_minute: int = 200) -> float:
    """Tells how many minutes it takes to read a text."""
    return round(len(text.split()) / words_per_minute, 2)
