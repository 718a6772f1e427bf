"""Finds where a path leads, and refuses what lies outside of the folders that the operator allows."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from flowruntime.authoring import FatalNodeError, OperatorSettings, operator_settings
from msgspec import Meta, Struct

__all__ = ["Place", "Roots", "allowed_roots", "is_of_system"]

#: Where files are not files, whatever the operator allows: reading and writing them does things.
_NO_FILES: Final = ("/proc", "/sys", "/dev")
_MEMORY: Final = "/dev/shm"  # noqa: S108 - an ordinary file system
#: The file of the operator: whoever writes it says what is allowed.
_SETTINGS: Final = "flow.toml"


class FilesSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[files]` of flow.toml."""

    roots: Annotated[list[str] | None, Meta(description="The folders that nodes may use, with all that is below.")] = (
        None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a path leads: `parts` below `root`, a folder without a link in it. `path` is what the workflow says."""

    path: str
    root: str
    parts: tuple[str, ...]

    @property
    def real(self) -> str:
        """The absolute path, free of links."""
        return os.path.join(self.root, *self.parts)  # noqa: PTH118 - a Path would tidy what must stay as it is

    @property
    def name(self) -> str:
        """The last part; that of the root for the root itself."""
        return self.parts[-1] if self.parts else Path(self.root).name


class Roots:
    """The folders that the operator allows. `real` ones are free of links."""

    def __init__(self, settings: OperatorSettings[FilesSettings]) -> None:
        self._settings = settings
        said = settings.values.roots
        if said is not None:
            folder = Path(settings.folder)
            given = [os.path.normpath(folder / Path(root).expanduser()) for root in said]
        else:
            given = [] if settings.serves_others else _working_folder()
        self._given = given
        self.real = [os.path.realpath(root) for root in given]

    def locate(self, path: str, *, follow: bool = True, change: bool = False) -> Place:
        """Where a path leads. Relative paths begin at the first root; `~` means nothing here.

        Without `follow` a link at its end is the place itself. `change` says that the place is to be written, moved or
        deleted. Raises FatalNodeError for what is no path and for what lies outside; nothing has been opened then.
        """
        if not path or "\0" in path:
            raise FatalNodeError(
                f"{path!r} is no path of a file.", code="files.path", remedy="Give `path` the name of a file or folder."
            )
        if not self.real:
            raise self._refused(path, path)
        absolute = os.path.join(self.real[0], path)  # noqa: PTH118 - a Path would drop a slash at the end
        # First by the text alone: what lies outside is not even looked at.
        written = os.path.normpath(absolute)
        if self._root_of(written, [*self._given, *self.real]) is None:
            raise self._refused(path, written)
        last = Path(absolute).name
        if follow or last in {"", ".."} or absolute.endswith("/."):
            real = os.path.realpath(absolute)
        else:
            real = os.path.join(os.path.realpath(Path(absolute).parent), last)  # noqa: PTH118
        root = self._root_of(real, self.real)
        if root is None:
            raise self._refused(path, real)
        if is_of_system(real):
            raise FatalNodeError(
                f"{path!r} belongs to the system and is no file.",
                code="files.not_a_file",
                remedy="Nodes that run commands can read it.",
            )
        parts = tuple(real[len(root) :].strip("/").split("/")) if real != root else ()
        if change and parts and parts[-1].casefold() == _SETTINGS:
            raise FatalNodeError(
                f"{path!r} holds the settings of Flownodes, which no workflow may change.",
                code="files.protected",
                remedy="Choose another name.",
            )
        return Place(path=path, root=root, parts=parts)

    def _root_of(self, path: str, roots: list[str]) -> str | None:
        return next((root for root in roots if _is_below(path, root)), None)

    def _refused(self, path: str, place: str) -> FatalNodeError:
        leads = "" if place == path else f", which leads to {place!r},"
        if self._given:
            folders = ", ".join(map(repr, self._given))
            cause = f"The path {path!r}{leads} is outside of the folders that nodes may use: {folders}."
        else:
            cause = f"The path {path!r} may not be used: no folder is open to nodes here."
        wanted = os.path.dirname(place) if os.path.isabs(place) else "/path/of/a/folder"  # noqa: PTH117, PTH120
        line = json.dumps([*self._given, wanted], ensure_ascii=False)
        return FatalNodeError(
            cause,
            code="files.outside",
            remedy=f"If it should be allowed, the operator writes into {self._settings.where}, under [files]: "
            f"roots = {line}",
        )


def allowed_roots() -> Roots:
    """The folders that are allowed here and now. Raises InstallationError for a malformed flow.toml."""
    return Roots(operator_settings("files", FilesSettings))


def is_of_system(real: str) -> bool:
    """Whether an absolute path without links is one where files are not files.

    >>> is_of_system("/proc/self/mem"), is_of_system("/dev/shm/a"), is_of_system("/devices")
    (True, False, False)
    """
    return any(_is_below(real, folder) for folder in _NO_FILES) and not _is_below(real, _MEMORY)


def _is_below(path: str, folder: str) -> bool:
    """Whether an absolute path is the folder or in it.

    >>> _is_below("/data/a", "/data"), _is_below("/database", "/data"), _is_below("/etc", "/")
    (True, False, True)
    """
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _working_folder() -> list[str]:
    try:
        return [str(Path.cwd())]
    except FileNotFoundError:  # it was removed under us
        return []
