"""Reads the records of a CSV file: the values of each row."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from flowruntime.authoring import FatalNodeError

from flownodes_files.lines import Lines

__all__ = ["records_of"]

_REMEDY = "Correct the file there, or set `delimiter` and `quote` to those of the file."


def records_of(lines: Lines, delimiter: str, quote: str) -> Iterator[list[str]]:
    """The values of each row; empty lines are none. Raises FatalNodeError (`files.csv`) for what is no CSV."""
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True)
    while True:
        lines.begin_row()
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cause, remedy = str(error), _REMEDY
            if cause.startswith("new-line character"):  # what follows is advice for programmers
                cause = "a carriage return stands there that ends no line"
                remedy = "End lines with a line feed, or put values with carriage returns in quotes."
            raise FatalNodeError(
                f"{lines.what} is not CSV in line {lines.number:,}: {cause}.",
                code="files.csv",
                remedy=remedy,
                details={"line": lines.number},
            ) from None
        if record:
            yield record
