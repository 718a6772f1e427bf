"""Gives a file line by line, with the number of each, and never holds more than one row of it."""

from __future__ import annotations

import io
from typing import BinaryIO, Final, Self

from flowruntime.authoring import Context, FatalNodeError

from flownodes_files.encodings import BadBytesError, Recoded, codec_named, is_ascii_based
from flownodes_files.saving import stop_if_cancelled

__all__ = ["MAX_ROW_BYTES", "Lines"]

#: The size limit of a row, 1 MiB; in CSV it may have several lines.
MAX_ROW_BYTES: Final = 1024 * 1024
#: How often is looked whether anybody still wants the lines.
_LOOK_EVERY: Final = 1000
_MARK: Final = "\ufeff"


class Lines:
    """Iterates over the lines of a binary reader, ends included. `what` names it in errors.

    Raises FatalNodeError for what is no text in that encoding, for a NUL, and for a row that is too long.
    """

    def __init__(self, ctx: Context, reader: BinaryIO, encoding: str, what: str) -> None:
        codec = codec_named(encoding)
        self.what = what
        #: That of the line given last, from 1.
        self.number = 0
        self._ctx = ctx
        self._encoding = encoding
        self._codec = codec
        self._offset = 0
        self._row_bytes = 0
        self._reader: BinaryIO | io.BufferedReader = reader
        if not is_ascii_based(codec):
            self._reader = io.BufferedReader(Recoded(reader, codec, what))
            self._codec = codec_named("utf-8")

    def begin_row(self) -> None:
        """Say that the next line begins a row."""
        self._row_bytes = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        raw = self._reader.readline(MAX_ROW_BYTES + 1)
        if not raw:
            raise StopIteration
        self.number += 1
        if self.number % _LOOK_EVERY == 0:
            stop_if_cancelled(self._ctx)
        self._row_bytes += len(raw)
        if self._row_bytes > MAX_ROW_BYTES:
            raise FatalNodeError(
                f"{self.what} has a row of more than {MAX_ROW_BYTES:,} bytes, at line {self.number:,}.",
                code="files.row_too_large",
                remedy="Is a quote missing, or is it no file of rows? Read it as a Blob.",
                details={"line": self.number},
            )
        try:
            text = self._codec.decode(raw)[0]
        except UnicodeDecodeError as error:
            raise BadBytesError(self.what, self._encoding, self._offset + error.start, self.number) from None
        if "\0" in text:
            raise FatalNodeError(
                f"{self.what} holds a NUL, in line {self.number:,}: it is no text, or in another encoding.",
                code="files.nul",
                remedy="Set `encoding` (utf-16?), or read it as a Blob.",
                details={"line": self.number},
            )
        self._offset += len(raw)
        return text.removeprefix(_MARK) if self.number == 1 else text
