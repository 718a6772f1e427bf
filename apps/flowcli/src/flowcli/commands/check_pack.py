"""`flow pack check [DIR]`: runs the conformance suite of packs, and lists what fails."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from flowcore.values import write_json
from flowruntime.testing import Finding

from flowcli.exit_codes import FAILED, SUCCESS
from flowcli.suite_process import check_pack_apart
from flowcli.terminal import data_width, printable, say, write_data

__all__ = ["run"]

_HEAD: Final = ("check", "type", "place", "what is wrong, and what to do")
_NARROWEST: Final = 40


def run(arguments: argparse.Namespace, project: Path) -> int:
    """Check; FAILED when anything fails."""
    report = check_pack_apart(project)
    total = len(report.passed) + len({(finding.check, finding.type) for finding in report.findings})
    if arguments.json:
        answer = {"passed": list(report.passed), "findings": [finding.to_json() for finding in report.findings]}
        write_data(write_json(answer, indent=2) + "\n")
    elif report.findings:
        write_data(_table(report.findings, data_width()))
    if report.findings:
        failed = total - len(report.passed)
        say(f"{failed} of {total} checks failed." if total > 1 else "The check failed, and the others need it.")
        return FAILED
    say(f"All {total} checks passed.")
    return SUCCESS


def _table(findings: Sequence[Finding], width: int | None) -> str:
    """A row a finding, whose last column goes on below itself where the terminal ends."""
    rows = [(one.check, one.type or "–", one.place, f"{one.message} {one.remedy}") for one in findings]
    sizes = [max(len(row[column]) for row in (_HEAD, *rows)) for column in range(3)]
    indent = sum(sizes) + 2 * len(sizes)
    room = None if width is None else max(width - indent, _NARROWEST)
    lines = []
    for row in (_HEAD, *rows):
        first = "  ".join(cell.ljust(size) for cell, size in zip(row[:3], sizes, strict=True))
        texts = [part for line in row[3].splitlines() for part in (textwrap.wrap(line, room) if room else [line])]
        lines.append(f"{first}  {texts[0]}")
        lines += [" " * indent + text for text in texts[1:]]
    return printable("\n".join(lines) + "\n")
