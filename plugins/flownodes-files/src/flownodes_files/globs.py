"""Matches names of files against patterns such as `*.csv` and `**/report-?.json`, in bounded time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

__all__ = ["crosses_folders", "has_alternatives", "leaves_folder", "matches"]

_ALTERNATIVES: Final = re.compile(r"\{[^{}\]/]*,[^{}]*\}")


def matches(pattern: str, relative: str) -> bool:
    """Whether a path below a folder fits: `*` any characters, `?` one, `[a-z]` one of these, `[!a-z]` none of these.

    A pattern without a slash is for the name alone; in one with a slash `**` stands for any number of folders.

    >>> matches("*.csv", "old/a.csv"), matches("old/*", "old/a/b"), matches("old/**/*.csv", "old/a.csv")
    (True, False, True)
    >>> matches("[!a-c]?.txt", "dx.txt"), matches("**/2026/**", "a/2026/b/c")
    (True, True)
    """
    parts = relative.split("/")
    if "/" not in pattern:
        return _fits(pattern, parts[-1])
    return _fit_all(_steps(pattern), parts)


def crosses_folders(pattern: str) -> bool:
    """Whether folders below have to be looked into."""
    return len(_steps(pattern)) > 1


def leaves_folder(pattern: str) -> bool:
    """Whether it has a step `..`, which no path below a folder has."""
    return ".." in _steps(pattern)


def has_alternatives(pattern: str) -> bool:
    """Whether braces in it look like alternatives; they are characters like others.

    >>> has_alternatives("*.{csv,txt}"), has_alternatives("{a}.txt"), has_alternatives("[{]a,b}.txt")
    (True, False, False)
    """
    return _ALTERNATIVES.search(pattern) is not None


def _steps(pattern: str) -> list[str]:
    """The parts between slashes; `./` and a doubled slash mean nothing."""
    return [step for step in pattern.strip("/").split("/") if step not in ("", ".")]


def _fit_all(patterns: Sequence[str], parts: Sequence[str]) -> bool:
    """A row of the table for each pattern: the numbers of parts that those up to it may have taken."""
    reached = {0}
    for pattern in patterns:
        if pattern == "**":
            first = min(reached, default=len(parts) + 1)
            reached = set(range(first, len(parts) + 1))
        else:
            reached = {count + 1 for count in reached if count < len(parts) and _fits(pattern, parts[count])}
    return len(parts) in reached


def _fits(pattern: str, name: str) -> bool:
    """Greedy, with one place to come back to: the last `*`. Takes at most the product of the two lengths."""
    at = place = 0
    star, star_place = -1, 0
    while place < len(name):
        step = 0 if at < len(pattern) and pattern[at] == "*" else _step(pattern, at, name[place])
        if step:
            at += step
            place += 1
        elif at < len(pattern) and pattern[at] == "*":
            star, star_place = at, place
            at += 1
        elif star >= 0:
            star_place += 1
            at, place = star + 1, star_place
        else:
            return False
    return not pattern[at:].strip("*")


def _step(pattern: str, at: int, character: str) -> int:
    """How long the piece of the pattern is that takes this character; 0 when none does."""
    if at >= len(pattern):
        return 0
    piece = pattern[at]
    if piece == "?":
        return 1
    if piece == "[":
        # A bracket right behind the opening one is a member.
        end = pattern.find("]", at + (3 if pattern[at + 1 : at + 2] == "!" else 2))
        if end > 0:
            return end + 1 - at if _in_set(pattern[at + 1 : end], character) else 0
    return 1 if piece == character else 0


def _in_set(members: str, character: str) -> bool:
    is_wanted = not members.startswith("!")
    members = members if is_wanted else members[1:]
    at = 0
    while at < len(members):
        if members[at + 1 : at + 2] == "-" and at + 2 < len(members):
            found = members[at] <= character <= members[at + 2]
            at += 3
        else:
            found = members[at] == character
            at += 1
        if found:
            return is_wanted
    return not is_wanted
