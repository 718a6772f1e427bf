"""Runs uv, or pip where there is no uv: plans, installs, stages and removes distributions of this environment."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

from flowcore.errors import InstallationError
from flowruntime.permits import normalized

from flowcli.terminal import say

__all__ = ["Change", "Pip", "Request", "Tool", "ToolFailed", "Uv", "find_tool"]

_LIMIT_SECONDS: Final = 900
#: A line of uv's plan: ` + name==1.0`, ` + name @ file:///…`.
_LINE: Final = re.compile(r"^ ([+~-]) ([\w.-]+)(?:==| @ )(\S+)", re.MULTILINE)
_WHEEL: Final = re.compile(r".*/[^/-]+-([^/-]+)-[^/]+\.whl")


class Change(NamedTuple):
    """What happens to one distribution. `before` None: it is new; `after` None: it goes.

    A project's folder has no version before it is built: there `after` is its URL.
    """

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be installed, and from where."""

    requirements: tuple[str, ...]
    #: The folders of projects that are to be installed editable.
    editables: tuple[str, ...] = ()
    #: The names among them that may move to a newer version.
    upgrade: tuple[str, ...] = ()
    #: Requirements that must stay fulfilled, with all that they require.
    guards: tuple[str, ...] = ()
    #: The versions that were agreed on.
    pins: tuple[str, ...] = ()
    find_links: tuple[Path, ...] = ()
    offline: bool = False


class ToolFailed(Exception):  # noqa: N818 - it says what happened
    """uv or pip ended with an error; `output` is what it said."""

    def __init__(self, output: str) -> None:
        self.output = output
        super().__init__(output)


class Tool(ABC):
    """What installs distributions. Every method raises ToolFailed with what the tool says."""

    #: How people call it.
    name: str

    @abstractmethod
    def plan(self, request: Request) -> tuple[Change, ...]:
        """What an installation would change; changes nothing."""

    def install(self, request: Request) -> None:
        """Do it. A Ctrl-C meanwhile counts when it is done."""
        with _pinned(request) as options, _finished_first():
            self._run("install", *self._options(request), *options)

    def stage(self, request: Request, folder: Path) -> None:
        """Unpack what is asked for, and nothing that it requires, into a folder."""
        with _pinned(request) as options:
            self._run("install", "--no-deps", "--target", str(folder), *self._options(request), *options)

    @abstractmethod
    def remove(self, names: Sequence[str]) -> None:
        """Uninstall these."""

    @abstractmethod
    def check(self) -> list[str]:
        """What installed distributions miss: a sentence each."""

    @abstractmethod
    def _options(self, request: Request) -> list[str]: ...

    @abstractmethod
    def _run(self, task: str, *words: str) -> str: ...


def find_tool() -> Tool:
    """uv, or pip. Raises InstallationError when there is neither."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is not None:
        return Uv(uv)
    if importlib.util.find_spec("pip") is not None:
        return Pip()
    raise InstallationError(
        "There is neither uv nor pip to install with.",
        code="install.no_tool",
        remedy=f"Get pip: {sys.executable} -m ensurepip",
    )


class Uv(Tool):
    """uv, which may lie anywhere: it is told which environment is meant."""

    name = "uv"

    def __init__(self, program: str) -> None:
        self._program = program

    def plan(self, request: Request) -> tuple[Change, ...]:
        with _pinned(request) as options:
            said = self._run("install", "--dry-run", *self._options(request), *options)
        before: dict[str, str] = {}
        after: dict[str, str] = {}
        for sign, name, place in _LINE.findall(said):
            wheel = _WHEEL.fullmatch(place)
            version = place if wheel is None else wheel[1]
            if sign in "-~":
                before[name] = version
            if sign in "+~":
                after[name] = version
        return tuple(Change(name, before.get(name), after.get(name)) for name in sorted({**before, **after}))

    def remove(self, names: Sequence[str]) -> None:
        with _finished_first():
            self._run("uninstall", *names)

    def check(self) -> list[str]:
        try:
            self._run("check")
        except ToolFailed as failed:
            said = [line.strip() for line in failed.output.splitlines()]
            return [line for line in said if line.startswith("The package `")]
        return []

    def _options(self, request: Request) -> list[str]:
        options = [word for folder in request.find_links for word in ("--find-links", str(folder))]
        if request.offline:
            # Without a folder of wheels uv's cache is all there is.
            options += ["--offline", "--no-index"] if request.find_links else ["--offline"]
        options += [word for name in request.upgrade for word in ("--upgrade-package", name)]
        return [*options, *_editable(request), *request.requirements, *request.guards]

    def _run(self, task: str, *words: str) -> str:
        return _run([self._program, "pip", task, "--python", sys.executable, "--color", "never", *words])


class Pip(Tool):
    """The pip of this environment."""

    name = "pip"

    def plan(self, request: Request) -> tuple[Change, ...]:
        from flowcli.installer.installed import installed_distributions

        with tempfile.TemporaryDirectory() as folder, _pinned(request) as options:
            report = Path(folder, "report.json")
            self._run("install", "--dry-run", "--report", str(report), *self._options(request), *options)
            planned = json.loads(report.read_text(encoding="utf-8"))["install"]
        there = installed_distributions()
        changes = []
        for item in planned:
            name, version = item["metadata"]["name"], item["metadata"]["version"]
            known = there.get(normalized(name))
            changes.append(Change(name, None if known is None else known.version, version))
        return tuple(sorted(changes))

    def remove(self, names: Sequence[str]) -> None:
        with _finished_first():
            self._run("uninstall", "--yes", *names)

    def check(self) -> list[str]:
        try:
            self._run("check")
        except ToolFailed as failed:
            said = [line.strip() for line in failed.output.splitlines()]
            return [line for line in said if " requires " in line or " has requirement " in line]
        return []

    def _options(self, request: Request) -> list[str]:
        options = [word for folder in request.find_links for word in ("--find-links", str(folder))]
        if request.offline:
            options.append("--no-index")
        if request.upgrade:
            options.append("--upgrade")  # what is not named stays: its strategy is only-if-needed
        return [*options, *_editable(request), *request.requirements, *request.guards]

    def _run(self, task: str, *words: str) -> str:
        return _run([sys.executable, "-m", "pip", task, "--disable-pip-version-check", *words])


def _editable(request: Request) -> list[str]:
    return [word for folder in request.editables for word in ("--editable", folder)]


@contextlib.contextmanager
def _pinned(request: Request) -> Iterator[list[str]]:
    """The options that hold the agreed versions."""
    if not request.pins:
        yield []
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "agreed.txt")
        file.write_text("".join(f"{pin}\n" for pin in request.pins), encoding="utf-8")
        yield ["--constraint", str(file)]


@contextlib.contextmanager
def _finished_first() -> Iterator[None]:
    """Lets the tool end before a Ctrl-C does anything: a half of a distribution looks like all of it to everybody."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if not asked:
            say("It is being done, and half of it would be worse; wait a moment …")
        asked.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        say("It is done.")
        raise KeyboardInterrupt


def _run(command: Sequence[str]) -> str:
    """What the tool says, to whichever stream."""
    # No question may wait for an answer that nobody sees.
    environment = {**os.environ, "PIP_NO_INPUT": "1", "UV_NO_PROGRESS": "1"}
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            check=False,
            timeout=_LIMIT_SECONDS,
            start_new_session=True,  # a Ctrl-C at the terminal is for this process, which knows when it does no harm
        )
    except subprocess.TimeoutExpired as error:
        raise ToolFailed(f"timed out after {_LIMIT_SECONDS} s") from error
    said = ended.stdout.decode(errors="replace")
    if ended.returncode != 0:
        raise ToolFailed(said)
    return said
