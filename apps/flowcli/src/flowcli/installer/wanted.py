"""Reads what people name when they install packs: a name with or without a version, a wheel, a project's folder."""

from __future__ import annotations

import re
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowruntime.permits import normalized

from flowcli.usage import UsageError

__all__ = ["Wanted", "read_wanted"]

_REQUIREMENT: Final = re.compile(
    r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(\[[\w\s,.-]*\])?\s*((?:[<>=!~]=?|===)[\w\s.,*+!<>=~-]+)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One distribution that somebody wants."""

    #: As uv and pip take it.
    requirement: str
    #: The name of the distribution, as it is written there.
    name: str
    #: The wheel or folder, where it was named by one.
    path: Path | None = None

    @property
    def key(self) -> str:
        """The normalised name."""
        return normalized(self.name)


def read_wanted(word: str) -> Wanted:
    """What a word means. Raises UsageError when it names nothing that can be installed.

    >>> read_wanted("flownodes-acme>=2").name
    'flownodes-acme'
    """
    if word.endswith(".whl"):
        return _wheel(word)
    if "://" in word or "@" in word:
        raise UsageError(
            f"{word!r} is an address.",
            code="install.address",
            remedy="Download the wheel, look at where it comes from, and name the file.",
        )
    if "/" in word or word.startswith("."):
        return _project(word)
    match = _REQUIREMENT.fullmatch(word)
    if match is None:
        raise UsageError(
            f"{word!r} is no name of a distribution.",
            code="install.name",
            remedy="Write flownodes-acme, 'flownodes-acme>=2', a wheel's file name, or ./folder.",
        )
    return Wanted(requirement=word, name=match[1])


def _wheel(word: str) -> Wanted:
    path = Path(word)
    if not path.is_file():
        raise UsageError(f"There is no file {word!r}.", code="file.missing", remedy="Check the path of the wheel.")
    name, dash, _ = path.name.partition("-")
    if not dash or not zipfile.is_zipfile(path):
        raise UsageError(
            f"{word!r} is no wheel.", code="install.bad_file", remedy="Build it anew, or download it anew."
        )
    return Wanted(requirement=str(path.absolute()), name=name.replace("_", "-"), path=path)


def _project(word: str) -> Wanted:
    path = Path(word)
    try:
        project = tomllib.loads((path / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
        name = str(project["name"])
    except OSError as error:
        raise UsageError(
            f"{word!r} is no folder with a pyproject.toml: {error.strerror}.",
            code="pack.no_project",
            remedy="Name the folder of the pack's project, or a wheel.",
        ) from error
    except (ValueError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{str(path / 'pyproject.toml')!r} names no project: {error}.",
            code="pack.no_project",
            remedy="Give it a table [project] with a name.",
        ) from error
    return Wanted(requirement=str(path.absolute()), name=name, path=path)
