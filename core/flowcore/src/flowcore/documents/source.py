"""What a document or an input came in as, turned into JSON within the contract's limits."""

from __future__ import annotations

from typing import Any

from flowcore.errors import Problem
from flowcore.values import Json, NotAValue, check_value, read_json, resolve_blobs

__all__ = ["check_json", "json_of"]


def json_of(source: Any) -> tuple[Json, list[Problem]]:
    """The JSON of a text, or of an object that was decoded already, or what is wrong with it."""
    problems: list[Problem] = []
    if isinstance(source, str | bytes):
        parsed = read_json(source)
        if parsed.problems:
            return None, list(parsed.problems)
        source = parsed.value
    return check_json(source, "", problems), problems


def check_json(value: Any, pointer: str, problems: list[Problem]) -> Json:
    """The value with Blobs in place of references to them; None when it is beyond the limits of JSON."""
    try:
        try:
            check_value(value)
        except NotAValue as error:
            if error.code != "json.blob_key":
                raise
            # Values with Blobs are rare: only they are walked a second time.
            value = resolve_blobs(value)
            check_value(value)
    except NotAValue as error:
        problems.append(
            Problem(
                code=error.code,
                pointer=pointer + error.pointer,
                message=f"The value cannot be used: {error}.",
                remedy=error.remedy,
            )
        )
        return None
    return value
