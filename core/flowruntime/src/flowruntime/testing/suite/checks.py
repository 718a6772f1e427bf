"""All checks by name, and what runs them: `flow pack check` at once, pytest as an item each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
from flowcore.errors import PackError

from flowruntime.testing.suite import declarations, lives, running, secrecy
from flowruntime.testing.suite.finding import Check, Fault, Finding
from flowruntime.testing.suite.subject import PackSubject, TypeSubject, load_project

__all__ = ["CHECKS", "Item", "Report", "check_pack", "items_of"]

_LOADS: Final = Check(name="loads", asks="The package can be imported, and its declarations make node types.")

#: In the order in which they are run.
CHECKS: Final[tuple[Check, ...]] = (
    _LOADS,
    *(
        Check(name=function.__name__, asks=function.__doc__ or "", of_pack=function)
        for function in (declarations.metadata, declarations.catalog)
    ),
    *(
        Check(name=function.__name__, asks=function.__doc__ or "", of_type=function)
        for function in (declarations.descriptions, declarations.schemas, declarations.unknown_keys, running.examples)
    ),
    *(
        Check(name=function.__name__, asks=function.__doc__ or "", of_type=function, applies=applies)
        for function, applies in (
            (running.outputs, running.runs),
            (running.repeats, running.is_pure_somewhere),
            (running.cancellation, running.runs),
            (lives.shutdown, lives.has_instances),
            (lives.migrations, lives.has_past),
            (secrecy.secrets, secrecy.has_secrets),
        )
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One check of one subject, to be run."""

    check: Check
    subject: PackSubject | TypeSubject | None
    found: tuple[Finding, ...] = ()

    @property
    def type(self) -> str:
        """The node type that it is about; empty for the pack as a whole."""
        return self.subject.label if isinstance(self.subject, TypeSubject) else ""

    def __str__(self) -> str:
        return f"{self.check.name}: {self.type}" if self.type else self.check.name

    def run(self) -> list[Finding]:
        """What is wrong. Starts an event loop, so there must be none in this thread."""
        return [*self.found, *anyio.run(self._run)]

    async def _run(self) -> list[Finding]:
        faults: Any = None
        if self.check.of_pack is not None and isinstance(self.subject, PackSubject):
            faults = self.check.of_pack(self.subject)
        elif self.check.of_type is not None and isinstance(self.subject, TypeSubject):
            faults = self.check.of_type(self.subject)
        return [] if faults is None else [self._finding(fault) async for fault in faults]

    def _finding(self, fault: Fault) -> Finding:
        return Finding(
            check=self.check.name, type=self.type, place=fault.place, message=fault.message, remedy=fault.remedy
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What all checks of a project came to; `passed` names those that found nothing."""

    passed: tuple[str, ...]
    findings: tuple[Finding, ...]


def items_of(project: Path) -> list[Item]:
    """Every check that applies to the packs of a project, by pack and type.

    Imports the packs' code into this process. When that fails there is one item, of the check `loads`.
    """
    try:
        subjects = load_project(project)
    except PackError as error:
        finding = Finding(check=_LOADS.name, place=str(project), message=error.message, remedy=error.remedy)
        return [Item(check=_LOADS, subject=None, found=(finding,))]
    return [item for subject in subjects for item in _items(subject)]


def check_pack(project: Path) -> Report:
    """Run every check that applies to the project in this folder. Starts event loops."""
    passed: list[str] = []
    findings: list[Finding] = []
    for item in items_of(project):
        found = item.run()
        findings += found
        if not found:
            passed.append(str(item))
    return Report(passed=tuple(passed), findings=tuple(findings))


def _items(subject: PackSubject) -> Iterator[Item]:
    for check in CHECKS:
        if check.of_type is None:
            yield Item(check=check, subject=subject)
        else:
            for one in subject.types:
                if check.applies(one):
                    yield Item(check=check, subject=one)
