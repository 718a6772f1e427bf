"""Reads what people name when they install packs: a name, an archive, a project's folder, an address."""

from __future__ import annotations

import re
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from flowruntime.permits import normalized

from flowcli.usage import UsageError

__all__ = ["Wanted", "read_editable", "read_wanted"]

_REQUIREMENT: Final = re.compile(
    r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(\[[\w\s,.-]*\])?\s*((?:[<>=!~]=?|===)[\w\s.,*+!<>=~-]+)?"
)


#: `name[extra] @ address`
_DIRECT: Final = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[\w\s,.-]*\])?\s*@\s*(\S+)")
_ADDRESS: Final = re.compile(r"(git\+)?(https?|file|ssh)://\S+")
_SOURCES: Final = ".tar.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One distribution that somebody wants."""

    #: As uv and pip take it.
    requirement: str
    #: The name of the distribution, as it is written there.
    name: str
    #: Whether it says where the distribution is: an archive, a folder, an address.
    is_direct: bool = False
    #: Whether it stays a project's folder, whose sources count as they are.
    is_editable: bool = False

    @property
    def key(self) -> str:
        """The normalised name."""
        return normalized(self.name)


def read_wanted(word: str) -> Wanted:
    """What a word means. Raises UsageError when it names nothing that can be installed.

    >>> read_wanted("flownodes-acme>=2").name
    'flownodes-acme'
    """
    direct = _DIRECT.fullmatch(word)
    if direct is not None and _ADDRESS.fullmatch(direct[2]):
        return Wanted(requirement=word, name=direct[1], is_direct=True)
    if "://" in word:
        return _address(word)
    if word.endswith((".whl", _SOURCES)):
        return _archive(word)
    if "/" in word or word.startswith("."):
        return _project(word)
    match = _REQUIREMENT.fullmatch(word)
    if match is None:
        raise UsageError(
            f"{word!r} is no name of a distribution.",
            code="install.name",
            remedy="Write flownodes-acme, 'flownodes-acme>=2', the file name of a wheel, ./folder, or 'name @ https://…'.",
        )
    return Wanted(requirement=word, name=match[1])


def read_editable(word: str) -> Wanted:
    """The project in this folder, to be installed editable. Raises UsageError when there is none."""
    return replace(_project(word), is_editable=True)


def _address(word: str) -> Wanted:
    name = unquote(urlsplit(word).path).rpartition("/")[2]
    if not _ADDRESS.fullmatch(word) or not name.endswith(".whl"):
        raise UsageError(
            f"{word!r} does not say what is there.",
            code="install.address",
            remedy=f"Write the name before it: 'flownodes-acme @ {word}'",
        )
    return Wanted(requirement=word, name=_name_in(name), is_direct=True)


def _archive(word: str) -> Wanted:
    """A wheel, or the sources as they were published."""
    path = Path(word)
    if not path.is_file():
        raise UsageError(f"There is no file {word!r}.", code="file.missing", remedy="Check its path.")
    is_read = tarfile.is_tarfile if path.name.endswith(_SOURCES) else zipfile.is_zipfile
    if "-" not in path.name or not is_read(path):
        raise UsageError(
            f"{word!r} is no wheel, and no archive of sources.",
            code="install.bad_file",
            remedy="Build it anew, or download it anew.",
        )
    return Wanted(requirement=str(path.absolute()), name=_name_in(path.name), is_direct=True)


def _name_in(file: str) -> str:
    """The name of the distribution in that of its archive."""
    stem = file.partition("-")[0] if file.endswith(".whl") else file.rpartition("-")[0]
    return stem.replace("_", "-")


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
    return Wanted(requirement=str(path.absolute()), name=name, is_direct=True)
