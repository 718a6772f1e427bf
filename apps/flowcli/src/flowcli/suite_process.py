"""Runs the conformance suite of a pack in a process of its own: the pack's nodes run there, and one may end it.

`python -m flowcli.suite_process PROJECT FILE` leaves a line of JSON for each check that begins, and one for what it
found.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flowcore.errors import FlowError, InstallationError
from flowruntime.testing import Finding
from flowruntime.testing.suite import Report, items_of

from flowcli.exit_codes import INTERRUPTED

__all__ = ["check_pack_apart", "main"]

_DONE: Final = "done"


def check_pack_apart(project: Path) -> Report:
    """Run every check that applies to the project in this folder; what its nodes print goes to stderr.

    A check that the process does not survive has a finding, and those after it are not run. Raises InstallationError
    when no check can be run here.
    """
    with tempfile.TemporaryDirectory(prefix="flow-check-") as folder:
        file = Path(folder, "lines")
        # -P: the working directory is no place for modules.
        command = [sys.executable, "-P", "-m", "flowcli.suite_process", str(project), str(file)]
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=2, check=False).returncode
        lines = [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []
    findings: list[Finding] = []
    passed: list[str] = []
    begun: dict[str, str] | None = None
    for line in lines:
        match line:
            case {"begun": asked}:
                begun = asked
            case {"name": name, "findings": found}:
                findings += [Finding(**one) for one in found]
                passed += [] if found else [name]
            case {"raised": raised}:
                raise InstallationError(raised["message"], code=raised["code"], remedy=raised["remedy"])
            case _:  # done
                return Report(passed=tuple(passed), findings=tuple(findings))
    ended = f"exit status {status}" if status >= 0 else f"signal {-status}"
    asked = begun or {"check": "loads", "type": ""}
    died = Finding(
        **asked,
        place=str(project),
        message=f"It ended the process with {ended}; the checks after it were not run.",
        remedy="Raise an error instead: code that ends the process takes all other workflows with it.",
    )
    return Report(passed=tuple(passed), findings=(*findings, died))


def main(project: str, file: str) -> None:
    """Run the suite, and end the process at once, whatever threads the nodes have left."""
    with Path(file).open("w", encoding="utf-8") as opened:

        def tell(line: Any) -> None:
            opened.write(f"{json.dumps(line)}\n")
            opened.flush()

        os._exit(_guarded(lambda: _run(Path(project), tell), tell))


def _guarded(action: Callable[[], None], tell: Callable[[Any], None]) -> int:
    try:
        action()
    except KeyboardInterrupt:  # a Ctrl-C, which ends the other process by itself, or what a node raised
        return INTERRUPTED
    except FlowError as error:
        tell({"raised": error.to_json()})
    return 0


def _run(project: Path, tell: Callable[[Any], None]) -> None:
    for item in items_of(project):
        tell({"begun": {"check": item.check.name, "type": item.type}})
        tell({"name": str(item), "findings": [finding.to_json() for finding in item.run()]})
    tell(_DONE)


if __name__ == "__main__":
    main(*sys.argv[1:])
