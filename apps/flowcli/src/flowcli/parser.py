"""The grammar of a command line: argparse, with errors that say what to write instead.

Part of the warm path of `flow nodes`: nothing dear is imported before something is wrong.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from flowcli.terminal import data_width
from flowcli.usage import UsageError

__all__ = ["Parser"]

_WIDTH = 100


class Parser(argparse.ArgumentParser):
    """The parser of one command. Raises UsageError where argparse would end the process."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Formatter, **options)

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The arguments in these words; options may stand anywhere."""
        arguments, unknown = self.parse_known_intermixed_args(words)
        if unknown:
            from flowcore.values import did_you_mean

            name = unknown[0].partition("=")[0]
            remedy = did_you_mean(name, self._option_string_actions) or self._see_help()
            raise UsageError(f"`{self.prog}` does not take {name!r}.", remedy=remedy)
        return arguments

    def format_help(self) -> str:
        """The help; the ways to write the command are broken between options where a line ends."""
        if self.usage is not None:
            import re
            import textwrap

            width = _line_width() - len("usage: ")
            ways = [
                textwrap.fill(
                    # An option stays together with its value.
                    re.sub(r"\[[^]]*\]", lambda option: option[0].replace(" ", "\xa0"), way.strip()),
                    width,
                    subsequent_indent="    ",
                    break_long_words=False,
                    break_on_hyphens=False,
                )
                for way in self.usage.splitlines()
            ]
            self.usage = "\n".join(ways).replace("\xa0", " ").replace("\n", "\n       ")
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with what argparse found."""
        raise UsageError(f"`{self.prog}`: {message}.", remedy=self._see_help())

    def _see_help(self) -> str:
        return f"`{self.prog} --help` shows how it is written."


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Knows its width: argparse would import shutil to ask for it, with each argument that is added."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=_line_width())


def _line_width() -> int:
    return min(data_width() or _WIDTH, _WIDTH) - 2
