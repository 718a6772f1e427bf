"""Where a node is, as people write it: `loop[3]/send` for `send` in item 3 of `loop`."""

from __future__ import annotations

import re
from typing import Final

from flowcore.events import Path
from flowcore.values import Value, read_json, write_json

from flowcli.usage import UsageError

__all__ = ["path_text", "place_text", "read_path"]

_STEP: Final = re.compile(r"(?P<name>[^/\[\]]+)(?:\[(?P<item>\d+)\])?")


def place_text(path: Path, node_id: str) -> str:
    """A node with the loops and subflows that it is in.

    >>> place_text((("each", 3, 1), ("sub", None, 1)), "send")
    'each[3]/sub/send'
    """
    steps = [name if item is None else f"{name}[{item}]" for name, item, _ in path]
    return "/".join([*steps, node_id] if node_id else steps)


def path_text(path: Path) -> str:
    """A path as `--path` takes it: the short form, or JSON when an id has characters that the short form has.

    >>> path_text((("each", 3, 1), ("sub", None, 1)))
    'each[3]/sub'
    >>> path_text((("a/b", 3, 1),))
    '[["a/b",3]]'
    """
    if all(_STEP.fullmatch(name) for name, _, _ in path):
        return place_text(path, "")
    return write_json([[name, item] for name, item, _ in path])


def read_path(text: str) -> Path:
    """The path in the argument of `--path`, as JSON or in the short form. Raises UsageError when it is neither.

    What it says of attempts of containers does not count: a path has one place in an execution that runs.

    >>> read_path("each[3]/sub") == read_path('[["each", 3, 2], ["sub", null]]')
    True
    """
    if text.startswith("["):
        given = read_json(text)
        if not given.problems and isinstance(given.value, list) and all(map(_is_step, given.value)):
            return tuple((step[0], step[1], 0) for step in given.value)
        raise _refused(text)
    steps = [_STEP.fullmatch(step) for step in text.split("/")] if text else []
    path = []
    for step in steps:
        if step is None:
            raise _refused(text)
        path.append((step["name"], None if step["item"] is None else int(step["item"]), 0))
    return tuple(path)


def _is_step(step: Value) -> bool:
    match step:
        case [str(), bool(), *_]:
            return False
        case [str(), int() | None] | [str(), int() | None, int()]:
            return True
        case _:
            return False


def _refused(text: str) -> UsageError:
    return UsageError(
        f"--path {text!r} is no path of a node.",
        code="path.form",
        remedy="Write the containers from outside in, 'loop[3]/sub', or JSON: '[[\"loop\", 3], [\"sub\", null]]'.",
    )
