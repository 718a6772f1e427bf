"""The two streams: data for programs goes to stdout, words for people to stderr.

Part of the warm path of `flow nodes`: nothing dear is imported here.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
from typing import Literal, TextIO

from flowcli.usage import UsageError

__all__ = [
    "Style",
    "data_width",
    "has_colours",
    "is_lively",
    "prepare_streams",
    "printable",
    "say",
    "styled",
    "wait_for_readers",
    "write_data",
]

Style = Literal["red", "yellow", "green", "bold"]

_CODES: dict[Style, str] = {"red": "31", "yellow": "33", "green": "32", "bold": "1"}
#: Control characters would let a value steer the terminal; line breaks and tabs are harmless.
_VISIBLE = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def prepare_streams() -> None:
    """Make both streams take everything: a closed one loses it, no character breaks an encoding.

    Data is UTF-8 whatever the locale says, unless it goes to a terminal.
    """
    sys.stdout = _prepared(sys.stdout, encoding=None if _is_terminal(sys.stdout) else "utf-8")
    sys.stderr = _prepared(sys.stderr, encoding=None)


def write_data(text: str, stream: TextIO | None = None) -> bool:
    """Write text to stdout (or the stream that was stdout) and flush it; False when nobody reads it any more.

    What is written after that is lost. Raises UsageError when it cannot be written, on a full disk for example.
    """
    stream = sys.stdout if stream is None else stream
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _throw_away(stream)
        return False
    except OSError as error:
        _throw_away(stream)
        raise UsageError(
            f"The output cannot be written: {error.strerror}.",
            code="output.unwritable",
            remedy="Make room, or send it elsewhere.",
        ) from error
    return True


def wait_for_readers(seconds: float) -> bool:
    """Wait so long; False at once when nobody reads stdout any more."""
    import select

    poll = select.poll()
    with contextlib.suppress(OSError, ValueError):  # it may be no file
        if stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode):
            poll.register(sys.stdout.fileno(), 0)  # that its other end is closed comes unasked
    return not poll.poll(seconds * 1000)


def say(text: str) -> None:
    """Write a line, or several, for people; nobody listening is no error."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except OSError:
        _throw_away(sys.stderr)


def printable(text: str) -> str:
    r"""The text with its control characters made visible.

    >>> printable("red: \x1b[31m")
    'red: \\x1b[31m'
    """
    return text if text.isprintable() else text.translate(_VISIBLE)


def styled(text: str, style: Style, stream: TextIO | None = None) -> str:
    """The text in this style when stderr, or the stream, shows styles."""
    if has_colours(sys.stderr if stream is None else stream):
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m"
    return text


def is_lively() -> bool:
    """Whether stderr is a terminal that can move its cursor."""
    return _is_terminal(sys.stderr) and os.environ.get("TERM", "dumb") != "dumb"


def has_colours(stream: TextIO) -> bool:
    """Whether the stream is a terminal that may show colours."""
    is_smart = _is_terminal(stream) and os.environ.get("TERM", "dumb") != "dumb"
    return is_smart and not os.environ.get("NO_COLOR")


def data_width() -> int | None:
    """How many characters fit into a line of the terminal that stdout is; None when it is none."""
    if not _is_terminal(sys.stdout):
        return None
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    # A terminal of unknown size says 0.
    return os.get_terminal_size(sys.stdout.fileno()).columns or 80


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def _prepared(stream: TextIO | None, *, encoding: str | None) -> TextIO:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - it lives as long as the process
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding=encoding, errors="backslashreplace")
    return stream


def _throw_away(stream: TextIO) -> None:
    """Send what is left in the stream's buffer, and all that will come, to nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
