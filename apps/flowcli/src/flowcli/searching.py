"""Ranks node types by how well they answer a search.

Part of the warm path of `flow nodes`: imports nothing dear.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowruntime.registry import TypeRow

__all__ = ["search"]

#: What a word is worth where it is a whole word, where a word begins with it, and where it occurs at all; inside
#: the words of a description it says nothing.
_WORTH = (
    ("id", (100, 60, 40)),
    ("title", (50, 30, 20)),
    ("category", (20, 12, 8)),
    ("description", (15, 10, 0)),
)
_BREAKS = str.maketrans(dict.fromkeys("._-/:,;()`'\"", " "))


def search(rows: Iterable[TypeRow], words: Sequence[str]) -> list[tuple[TypeRow, int]]:
    """The types in whose id, title, category or description all the words occur, the best first, with their scores.

    When there is none, those in which most of the words occur. Of equal ones the shorter id comes first.
    """
    wanted = [word.casefold() for word in words]
    scored = []
    for row in rows:
        texts = {name: getattr(row, name).casefold() for name, _ in _WORTH}
        worth = [_worth(texts, word) for word in wanted]
        hits = len(worth) - worth.count(0)
        if hits:
            scored.append((hits, sum(worth), row))
    most = max((hits for hits, _, _ in scored), default=0)
    best = [(row, score) for hits, score, row in scored if hits == most]
    return sorted(best, key=lambda found: (-found[1], len(found[0].id), found[0].id))


def _worth(texts: dict[str, str], word: str) -> int:
    """The worth of one word in the place where it is worth most, and of the whole id."""
    if texts["id"] == word:
        return 2 * _WORTH[0][1][0]
    best = 0
    for name, (whole, beginning, anywhere) in _WORTH:
        text = texts[name]
        if word not in text:
            continue
        parts = text.translate(_BREAKS).split()
        if word in parts:
            best = max(best, whole)
        elif any(part.startswith(word) for part in parts):
            best = max(best, beginning)
        else:
            best = max(best, anywhere)
    return best
