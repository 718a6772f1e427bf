"""The node type `shelf.isbn`: checks the number of a book."""

from typing import Annotated

from flowruntime.authoring import FatalNodeError, node

__all__ = ["is_isbn", "isbn"]


def is_isbn(text: str) -> bool:
    """Whether this is an ISBN of thirteen digits with the right last one; hyphens and spaces do not count.

    >>> is_isbn("978-0-306-40615-7"), is_isbn("978-0-306-40615-8")
    (True, False)
    """
    digits = _digits(text)
    if len(digits) != 13 or not (digits.isascii() and digits.isdecimal()):  # noqa: PLR2004
        return False
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10 == 0


@node(
    "shelf.isbn",
    title="ISBN",
    category="Shelf",
    effects="pure",
    examples=[
        {
            "title": "With hyphens",
            "inputs": {"text": "978-0-306-40615-7"},
            "outputs": {"result": "9780306406157"},
        },
        {"title": "A slip of the pen", "inputs": {"text": "978-0-306-40615-8"}, "error": "shelf.isbn.wrong"},
    ],
)
def isbn(text: Annotated[str, "What somebody wrote."]) -> Annotated[str, "The thirteen digits."]:
    """Checks an ISBN, and gives its digits."""
    if not is_isbn(text):
        raise FatalNodeError(
            f"{text!r} is no ISBN of thirteen digits, or one of them is wrong.",
            code="shelf.isbn.wrong",
            remedy="Look at the back of the book.",
        )
    return _digits(text)


def _digits(text: str) -> str:
    return text.replace("-", "").replace(" ", "")
