"""Looks at every part of an installation and says what is wrong with it, each with what to do."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import tomllib
import zoneinfo
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from flowcore.errors import FlowError, InstallationError
from flowcore.packs import PackProblem
from flowcore.values import did_you_mean
from flowruntime.permits import normalized
from flowruntime.registry import (
    PackSettings,
    Registry,
    check_pack_settings,
    probe_hooks,
    probe_pack,
    read_settings,
)
from flowruntime.registry.places import cache_directory, settings_file
from flowruntime.secrets.settings import choose_key_place
from flowruntime.stores import default_url, store_for

from flowcli.installer.installed import Distribution, installed_distributions, missing_files
from flowcli.installer.tools import find_tool

__all__ = ["Finding", "Status", "examine"]

Status: TypeAlias = Literal["ok", "problem"]

_OLDEST_PYTHON: Final = (3, 11)
#: How many packs are imported at once.
_AT_ONCE: Final = 4
#: The tables of flow.toml that belong to no pack.
_OWN_TABLES: Final = ("packs", "secrets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check came to. `pack` and `stage` are there for what concerns a pack."""

    check: str
    status: Status = "ok"
    message: str
    code: str = ""
    remedy: str = ""
    pack: str = ""
    stage: str = ""

    def to_json(self) -> dict[str, Any]:
        """The finding as `--json` gives it; what is empty is left out."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in fields.items() if value}


def examine(db: str | None = None) -> Iterator[Finding]:
    """All checks, one after the other. `db` is the database to look at, the default one for None.

    The code of every pack is imported in a subprocess, for ten seconds at most.
    """
    yield _python()
    settings, finding = _settings()
    yield finding
    registry = Registry.discover(settings=settings)
    installed = installed_distributions()
    yield from _packs(registry)
    yield from _tables(registry)
    yield from _hooks(installed, settings)
    yield from _requirements(installed)
    yield from _system_parts(registry)
    yield _database(db or default_url())
    yield _cache(Path(cache_directory()))


def _python() -> Finding:
    told = f"Python {platform.python_version()}, {sys.executable}"
    if sys.version_info >= _OLDEST_PYTHON:
        return Finding(check="python", message=told)
    return Finding(
        check="python",
        status="problem",
        message=f"{told} is too old.",
        code="python.old",
        remedy="Make an environment with Python 3.11 or newer.",
    )


def _settings() -> tuple[PackSettings, Finding]:
    file = settings_file()
    try:
        settings = read_settings(Path(file) if file is not None else None)
    except InstallationError as error:
        return PackSettings(), _failed("settings", error)
    told = file or "no flow.toml; the defaults hold"
    if settings.safe_mode:
        told += "; safe mode: only what belongs to Flownodes itself loads"
    return settings, Finding(check="settings", message=told)


def _packs(registry: Registry) -> Iterator[Finding]:
    """The records of the registry, then what the code of each pack does. Hooks are looked at by themselves."""
    problems = [problem for problem in registry.problems if not problem.code.startswith("hooks.")]
    for problem in problems:
        yield _of_pack("pack", problem)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        told = {problem.pack for problem in problems}
        packs = [pack for pack in registry.packs if pack.distribution not in told]
        for pack, found in zip(packs, threads.map(probe_pack, packs), strict=True):
            if found is None:
                yield Finding(
                    check="pack",
                    pack=pack.distribution,
                    message=f"{pack.distribution} {pack.version} ({pack.namespace})",
                )
            else:
                yield _of_pack("pack", found)


def _tables(registry: Registry) -> Iterator[Finding]:
    """Whether the tables of flow.toml are what secrets, and the packs that they are named by, take."""
    file = settings_file()
    if file is None:
        return
    try:
        tables = tomllib.loads(Path(file).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return  # the check of settings has told it
    try:
        choose_key_place(Path(file))
    except InstallationError as error:
        yield _failed("settings", error)
    packs = {pack.namespace: pack for pack in registry.packs}
    for name in sorted(tables.keys() - set(_OWN_TABLES)):
        if name in packs:
            problem = check_pack_settings(packs[name], file)
            if problem is not None:
                yield _of_pack("settings", problem)
        elif name not in registry.denied and (meant := did_you_mean(name, [*_OWN_TABLES, *packs])):
            yield Finding(
                check="settings",
                status="problem",
                message=f"The settings file {file}: [{name}] is for no pack that is installed.",
                code="settings.unknown_table",
                remedy=meant,
            )


def _hooks(installed: dict[str, Distribution], settings: PackSettings) -> Iterator[Finding]:
    names = [one.name for one in installed.values() if "flownodes.hooks" in one.groups and settings.permits(one.name)]
    problems = probe_hooks(sorted(names))
    for problem in problems:
        yield _of_pack("hooks", problem)
    broken = {problem.pack for problem in problems}
    for name in sorted(names):
        if name not in broken:
            yield Finding(check="hooks", pack=name, message=f"{name} {installed[normalized(name)].version}")


def _requirements(installed: dict[str, Distribution]) -> Iterator[Finding]:
    """Whether core and packs have what they require: as uv or pip see it."""
    try:
        tool = find_tool()
    except InstallationError as error:
        yield _failed("requirements", error)
        return
    ours = {name for name, one in installed.items() if one.is_core or one.is_pack}
    needed = ours.union(*(installed[name].requires for name in ours))
    is_complete = True
    missing = [line for line in tool.check() if needed.intersection(_words(line))]
    for name in sorted(needed & installed.keys()):
        if gone := missing_files(name):
            found = installed[name]
            yield Finding(
                check="requirements",
                status="problem",
                message=f"{found.name} {found.version} is not all there: {len(gone)} of its files are missing, such as"
                f" {gone[0]}.",
                code="requirements.incomplete",
                remedy=f"Install it anew: pip install --force-reinstall --no-deps {found.pin}",
            )
            is_complete = False
    for line in missing:
        yield Finding(
            check="requirements",
            status="problem",
            message=line,
            code="requirements.missing",
            remedy="Install what is missing: pip install --upgrade, with the name of the package that requires it.",
        )
    if is_complete and not missing:
        yield Finding(check="requirements", message=f"all there, says {tool.name}")


def _words(line: str) -> set[str]:
    return {normalized(word.strip("`,.;")) for word in line.split()}


def _system_parts(registry: Registry) -> Iterator[Finding]:
    """What packs need from the system."""
    namespaces = {pack.namespace for pack in registry.packs}
    if "time" in namespaces:
        try:
            zoneinfo.ZoneInfo("Europe/Berlin")
            yield Finding(check="system", message="time zones")
        except (zoneinfo.ZoneInfoNotFoundError, OSError):
            yield Finding(
                check="system",
                status="problem",
                message="There are no time zones, which the pack flownodes-time needs.",
                code="system.tzdata",
                remedy="Install them: pip install tzdata",
            )
    if "shell" in namespaces:
        found = shutil.which("bwrap")
        if found is not None:
            yield Finding(check="system", message=f"bubblewrap, {found}")
        else:
            yield Finding(
                check="system",
                status="problem",
                message="There is no bwrap, without which the nodes of flownodes-shell do not run.",
                code="system.bwrap",
                remedy="Install bubblewrap: apt-get install bubblewrap",
            )


def _database(url: str) -> Finding:
    try:
        store = store_for(url, read_only=True)
        store.open()
    except FlowError as error:
        if error.code != "store.missing":
            return _failed("database", error)
        return _new_database(url)
    store.close()
    return Finding(check="database", message=url)


def _new_database(url: str) -> Finding:
    """There is none yet: could one be made?"""
    path = Path(url.removeprefix("sqlite:///").partition("?")[0])
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if os.access(folder, os.W_OK):
        return Finding(check="database", message=f"{url}, not made yet")
    return Finding(
        check="database",
        status="problem",
        message=f"The database {url} is not there, and {folder} cannot be written.",
        code="database.unwritable",
        remedy="Name another with --db, or another folder in FLOW_HOME.",
    )


def _cache(folder: Path) -> Finding:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding(
            check="cache",
            status="problem",
            message=f"The cache folder {folder} cannot be written: {error.strerror}.",
            code="cache.unwritable",
            remedy="Make it writable, or name another folder in FLOW_HOME; without it every command is slower.",
        )
    return Finding(check="cache", message=str(folder))


def _of_pack(check: str, problem: PackProblem) -> Finding:
    return Finding(check=check, status="problem", **problem.to_json())


def _failed(check: str, error: FlowError) -> Finding:
    return Finding(check=check, status="problem", message=error.message, code=error.code, remedy=error.remedy)
