"""Reads the files that a command is given: whole, never more than the limit, and never waiting for nobody."""

# What os says about a descriptor is needed, which pathlib hides:
# ruff: noqa: PTH110, PTH112, PTH118, PTH119, PTH120, PTH208

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NoReturn

from flowcore.values import MAX_DOCUMENT_BYTES, did_you_mean

from flowcli.usage import UsageError

__all__ = ["STDIN", "folder_of", "is_source", "read_source", "refuse_missing"]

#: The name that stands for stdin.
STDIN: Final = "-"

_MOST_NAMES = 5
_PART_BYTES = 1024 * 1024


def is_source(name: str) -> bool:
    """Whether there is something of that name that can be read, or it stands for stdin."""
    return name == STDIN or (os.path.exists(name) and not os.path.isdir(name))


def read_source(name: str, *, what: str, max_bytes: int = MAX_DOCUMENT_BYTES, others: Iterable[str] = ()) -> bytes:
    """The content of a file of JSON, or of stdin for `-`. `what` is what errors call the content: `workflow`.

    Raises UsageError, with near names for a missing file, when it cannot be read or is larger than
    `max_bytes`. `others` are names that could have been meant, too. Pipes are read as far as something writes to them.
    """
    if name == STDIN:
        if sys.stdin is None or sys.stdin.closed:
            _refuse("closed", f"The {what} was to come from stdin, which is closed.", "Name a file.")
        return _bounded(sys.stdin.buffer.read(max_bytes + 1), "stdin", what, max_bytes)
    try:
        # A pipe that nobody writes to would block an open without this flag.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        refuse_missing(name, suffix=".json", others=others)
    except OSError as error:
        _refuse("unreadable", f"The file {name!r} cannot be read: {error.strerror}.", "Make it readable.")
    try:
        return _bounded(_content(descriptor, name, what, max_bytes), name, what, max_bytes)
    except OSError as error:
        _refuse("unreadable", f"The file {name!r} cannot be read: {error.strerror}.", "Name another.")
    finally:
        os.close(descriptor)


def folder_of(name: str) -> Path:
    """The folder that paths in this file are relative to: its own; for `-` the working directory."""
    return Path() if name == STDIN else Path(name).parent


def refuse_missing(name: str, *, suffix: str, others: Iterable[str] = ()) -> NoReturn:
    """Raise the UsageError for a file that is not there; near names with this suffix are proposed, and near others."""
    if remedy := did_you_mean(name, others):
        _refuse("missing", f"There is no file {name!r}, and no workflow of that name in the library.", remedy)
    folder = os.path.dirname(name) or os.curdir
    try:
        names = sorted(entry for entry in os.listdir(folder) if entry.endswith(suffix))
    except OSError:
        _refuse("missing", f"There is no folder {folder!r}, so no file {name!r}.", "Check the path.")
    remedy = did_you_mean(os.path.basename(name), names)
    if not remedy and names:
        more = ", …" if len(names) > _MOST_NAMES else ""
        remedy = f"There are: {', '.join(names[:_MOST_NAMES])}{more}"
    _refuse("missing", f"There is no file {name!r}.", remedy or f"Its folder has no {suffix} file.")


def _content(descriptor: int, name: str, what: str, max_bytes: int) -> bytes:
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        remedy = f"Name a file in it, such as {os.path.join(name, 'workflow.json')!r}."
        _refuse("directory", f"{name!r} is a directory, not a file.", remedy)
    if stat.S_ISREG(status.st_mode) and status.st_size > max_bytes:
        _refuse_size(name, f"{status.st_size / 1048576:.1f} MiB", what, max_bytes)
    content = b""
    if stat.S_ISFIFO(status.st_mode):
        try:
            content = os.read(descriptor, _PART_BYTES)
        except BlockingIOError:
            pass  # somebody has it open, and will write
        else:
            if not content:
                _refuse("silent_pipe", f"Nothing is written to the pipe {name!r}.", "Write to it, or name a file.")
    os.set_blocking(descriptor, True)
    while len(content) <= max_bytes and (part := os.read(descriptor, _PART_BYTES)):
        content += part
    return content


def _bounded(content: bytes, name: str, what: str, max_bytes: int) -> bytes:
    if len(content) > max_bytes:
        _refuse_size(name, f"more than {max_bytes / 1048576:g} MiB", what, max_bytes)
    return content


def _refuse_size(name: str, size: str, what: str, max_bytes: int) -> NoReturn:
    limit = f"the limit of a file with the {what} is {max_bytes / 1048576:g} MiB"
    remedy = "Keep data out of it: let a node fetch it, or split the workflow."
    _refuse("too_large", f"{name!r} has {size}, {limit}.", remedy)


def _refuse(code: str, message: str, remedy: str) -> NoReturn:
    raise UsageError(message, code=f"file.{code}", remedy=remedy)
