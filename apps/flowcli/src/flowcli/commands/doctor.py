"""`flow doctor`: looks at the whole installation and says what is wrong, each with what to do."""

from __future__ import annotations

import argparse

from flowcore.values import write_json

from flowcli.checkup import Finding, examine
from flowcli.exit_codes import SUCCESS, UNUSABLE
from flowcli.parser import Parser
from flowcli.terminal import printable, say, write_data

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    """Add what `flow doctor` takes."""
    parser.add_argument("--db", metavar="URL", help="the database to look at; without it the default one")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Examine it; UNUSABLE when anything is wrong."""
    findings = []
    for finding in examine(arguments.db):
        findings.append(finding)
        if not arguments.json:
            write_data(printable(_line(finding)) + "\n")
    problems = [finding for finding in findings if finding.status == "problem"]
    if arguments.json:
        told = {"healthy": not problems, "findings": [finding.to_json() for finding in findings]}
        write_data(write_json(told, indent=2) + "\n")
    elif problems:
        say(f"{len(problems)} of {len(findings)} checks found something wrong.")
    else:
        say("All is well.")
    return UNUSABLE if problems else SUCCESS


def _line(finding: Finding) -> str:
    if finding.status == "ok":
        return f"ok       {finding.check:12}  {finding.message}"
    who = f"{finding.pack}: " if finding.pack else ""
    first = f"problem  {finding.check:12}  {who}{finding.message} [{finding.code}]"
    return f"{first}\n{'':23}{finding.remedy}" if finding.remedy else first
