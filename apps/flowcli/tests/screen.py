"""A terminal for tests: runs a process on a pseudo-terminal, and keeps what its screen shows."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Shown", "run_on_terminal", "screen_of"]

_PIECES = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b(.)|([\r\n])|([^\x1b\r\n]+)", re.DOTALL)


class Shown(NamedTuple):
    """How a process on a terminal ended."""

    code: int
    #: All that it wrote, escape sequences and all.
    written: str
    columns: int

    @property
    def screen(self) -> list[str]:
        """The lines that stand there in the end."""
        return screen_of(self.written, self.columns)

    @property
    def text(self) -> str:
        """All that it wrote, without escape sequences."""
        return re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", self.written)

    @property
    def colours(self) -> set[str]:
        """The colours that were chosen: numbers of the escape sequence `m` from 30 on."""
        numbers = {number for codes in re.findall(r"\x1b\[([\d;]*)m", self.written) for number in codes.split(";")}
        return {number for number in numbers if number.isdecimal() and int(number) >= 30}


def run_on_terminal(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    rows: int = 24,
    columns: int = 100,
    own_stdout: int | None = None,
    interrupt_at: str | None = None,
) -> Shown:
    """Run to the end with all streams on a terminal; stdout may be another descriptor.

    Once it has written what `interrupt_at`, a regular expression, finds, somebody presses Ctrl-C: the terminal shows
    that, and the process gets a SIGINT.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=theirs,
        stdout=theirs if own_stdout is None else own_stdout,
        stderr=theirs,
    )
    name = os.ttyname(theirs)
    os.close(theirs)
    parts = []
    while part := _read(ours):
        parts.append(part)
        written = Shown(0, b"".join(parts).decode(errors="replace"), columns).text
        if interrupt_at is not None and re.search(interrupt_at, written, re.DOTALL):
            with Path(name).open("wb", buffering=0) as terminal:
                terminal.write(b"^C")
            process.send_signal(signal.SIGINT)
            interrupt_at = None
    os.close(ours)
    return Shown(process.wait(timeout=180), b"".join(parts).decode(), columns)


def screen_of(written: str, columns: int) -> list[str]:
    """What a terminal of unlimited height shows after this, without empty lines at the end.

    As on every terminal, what is written behind a line that is full goes to the next one.

    Knows the sequences that a live view needs: up, erase line, colours, and modes such as the hidden cursor.
    """
    lines, row, column = [""], 0, 0
    for numbers, letter, _, control, text in _PIECES.findall(written):
        if control == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif control == "\r":
            column = 0
        elif letter == "A":
            row = max(row - int(numbers or 1), 0)
        elif letter == "K":
            lines[row] = "" if numbers == "2" else lines[row][:column]
        elif text:
            for character in text:
                if column == columns:
                    row, column = row + 1, 0
                    lines += [""] * (row == len(lines))
                line = lines[row].ljust(column)
                lines[row] = line[:column] + character + line[column + 1 :]
                column += 1
        else:
            assert letter in "mhl", f"the screen does not know ESC [ {numbers} {letter}"
    while lines and not lines[-1].strip():
        lines.pop()
    return [line.rstrip() for line in lines]


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the last process on the other side is gone
        return b""
