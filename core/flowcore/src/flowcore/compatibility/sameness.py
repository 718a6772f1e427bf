"""Whether keywords of two schemas say the same by their text, so that what they mean need not be known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flowcore.compatibility.parts import Part

__all__ = ["same_keywords", "same_schema"]


def same_keywords(one: Part, other: Part, keywords: Sequence[str]) -> bool:
    """Whether both have the same of these keywords; an annotation inside that differs is a difference."""
    mine, theirs = (
        {keyword: part.schema[keyword] for keyword in keywords if keyword in part.schema} for part in (one, other)
    )
    return _same_text(mine, theirs, one.root, other.root)


def same_schema(one: Part, other: Part) -> bool:
    """Whether both are the same in all keywords."""
    return _same_text(one.schema, other.schema, one.root, other.root)


def _same_text(one: Any, other: Any, one_root: Any, other_root: Any) -> bool:
    mine = _text(one)
    if mine is None or mine != _text(other):
        return False
    if '"$ref"' in mine or '"$dynamicRef"' in mine or '"$recursiveRef"' in mine:
        root = _text(one_root)
        return root is not None and root == _text(other_root)
    return True


def _text(value: Any) -> str | None:
    """A text that tells true from 1 and 1 from 1.0; None for what JSON has no text for."""
    try:
        return json.dumps(value, sort_keys=True)
    except (TypeError, ValueError):
        return None
