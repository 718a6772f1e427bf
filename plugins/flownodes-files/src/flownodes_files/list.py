"""The node type `files.list`: tells what is in a folder."""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any, Final, Literal, TypedDict

from flowcore.events import timestamp_text
from flowruntime.authoring import Context, FatalNodeError, NodeError, node
from msgspec import Meta

from flownodes_files.faults import told
from flownodes_files.globs import crosses_folders, has_alternatives, leaves_folder, matches
from flownodes_files.media_types import media_type_of
from flownodes_files.opening import details_of, open_folder
from flownodes_files.roots import Place, Roots, allowed_roots, is_of_system
from flownodes_files.saving import stop_if_cancelled

__all__ = ["list_files"]

#: How deep folders are looked into.
_MAX_DEPTH: Final = 64
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Found(TypedDict):
    """One file or folder."""

    name: str
    path: str
    relative: str
    type: Literal["file", "folder"]
    size: int | None
    modified: str
    media_type: str | None


class Listed(TypedDict):
    """The outputs."""

    files: Annotated[
        list[Found],
        "One object each: `name`, `path` (absolute), `relative` (to the folder), `type` (file or folder), `size` in "
        "bytes, `modified` (UTC), `media_type`; folders have no size and no media type.",
    ]
    count: Annotated[int, "How many there are in `files`."]
    truncated: Annotated[bool, "Whether there are more than `limit`."]


@node(
    "files.list",
    title="List Files",
    description="Tells which files are in a folder. Links are shown when they lead to something that is allowed; "
    "linked folders are not looked into.",
    category="Files",
    effects="read",
    examples=[
        {
            "title": "The newest log",
            "config": {"pattern": "*.log", "recursive": True, "sort": "modified", "descending": True, "limit": 1},
        },
        {
            "title": "Outside of what is allowed",
            "config": {},
            "inputs": {"path": "/proc"},
            "error": "files.outside",
        },
    ],
)
def list_files(
    ctx: Context,
    path: Annotated[str, "The folder; relative paths begin at the first folder that is allowed."] = ".",
    *,
    pattern: Annotated[
        str | list[str],
        "Which names: `*`, `?`, `[a-z]`; with a slash it is for the path in the folder, and `**` is any number of "
        "folders. Several patterns: what fits one of them; braces stand for themselves.",
    ] = "*",
    recursive: Annotated[bool, "Whether folders below are looked into; a pattern with a slash does so anyway."] = False,
    hidden: Annotated[bool, "Whether names that begin with a dot count."] = False,
    kind: Annotated[Literal["files", "folders", "all"], "What is shown."] = "files",
    sort: Annotated[Literal["name", "modified", "size"], "By what; the same order by path."] = "name",
    descending: Annotated[bool, "Whether the last, newest or largest comes first."] = False,
    limit: Annotated[Annotated[int, Meta(ge=1, le=100_000)], "How many are given at most."] = 1000,
) -> Listed:
    """List the files."""
    roots = allowed_roots()
    place = roots.locate(path)
    if not stat.S_ISDIR(details_of(place).st_mode):
        raise FatalNodeError(
            f"{path!r} is no folder.", code="files.not_a_folder", remedy="Name a folder; files.read reads a file."
        )
    patterns = [pattern] if isinstance(pattern, str) else pattern
    _look_at(patterns, ctx)
    deep = recursive or any(map(crosses_folders, patterns))
    walk = _Walk(ctx, roots, place, hidden=hidden, depth=_MAX_DEPTH if deep else 1)
    wanted = {"files": {"file"}, "folders": {"folder"}, "all": {"file", "folder"}}[kind]
    found = (one for one in walk if one["type"] in wanted and any(matches(each, one["relative"]) for each in patterns))

    def place_in_order(one: Found) -> tuple[Any, str]:
        return ({"name": "", "modified": one["modified"], "size": one["size"] or 0}[sort], one["relative"])

    # What is dropped is never held.
    best = (heapq.nlargest if descending else heapq.nsmallest)(limit + 1, found, key=place_in_order)
    if walk.unspeakable:
        ctx.events.warning(
            f"{walk.unspeakable} names below {path!r} are not UTF-8 and left out; a workflow could not say them."
        )
    if walk.closed:
        ctx.events.warning(f"{walk.closed} folders below {path!r} may not be looked into and are left out.")
    if walk.too_deep:
        ctx.events.warning(
            f"{walk.too_deep} folders lie {_MAX_DEPTH} levels below {path!r} and are not looked into; list them by "
            "their paths."
        )
    return {"files": best[:limit], "count": min(len(best), limit), "truncated": len(best) > limit}


def _look_at(patterns: list[str], ctx: Context) -> None:
    """Tell of patterns that mean something else elsewhere: here they would silently find nothing."""
    for pattern in patterns:
        if leaves_folder(pattern):
            raise FatalNodeError(
                f"The pattern {pattern!r} leads out of the folder.",
                code="files.pattern",
                remedy="Name the other folder in 'path', and in the pattern what is below it.",
            )
        if has_alternatives(pattern):
            ctx.events.warning(
                f"The braces in the pattern {pattern!r} stand for themselves. For alternatives give several patterns: "
                '["*.csv", "*.txt"]; where braces are meant, write [{] for the first.'
            )


class _Walk:
    """Iterates over what is in a folder, folders before what is in them."""

    def __init__(self, ctx: Context, roots: Roots, place: Place, *, hidden: bool, depth: int) -> None:
        #: How many names are no text, how many folders could not be opened, and how many lie too deep.
        self.unspeakable = self.closed = self.too_deep = 0
        self._ctx = ctx
        self._roots = roots
        self._place = place
        self._hidden = hidden
        self._depth = depth

    def __iter__(self) -> Iterator[Found]:
        with told(self._place.path), open_folder(self._place.root, self._place.parts) as folder:
            yield from self._below(os.open(".", _FOLDER, dir_fd=folder), "", self._depth)

    def _below(self, folder: int, prefix: str, depth: int) -> Iterator[Found]:
        """Closes the descriptor."""
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    stop_if_cancelled(self._ctx)
                    if entry.name.startswith(".") and not self._hidden:
                        continue
                    if not _is_text(entry.name):
                        self.unspeakable += 1
                        continue
                    relative = prefix + entry.name
                    if is_of_system(os.path.join(self._place.real, relative)):  # noqa: PTH118 - text
                        continue
                    one = self._look(entry, relative)
                    if one is not None:
                        yield one
                    if self._depth > 1 and entry.is_dir(follow_symlinks=False):
                        if depth == 1:
                            self.too_deep += 1
                            continue
                        try:
                            inner = os.open(entry.name, _FOLDER, dir_fd=folder)
                        except OSError:
                            self.closed += 1
                            continue
                        yield from self._below(inner, relative + "/", depth - 1)
        finally:
            os.close(folder)

    def _look(self, entry: os.DirEntry[str], relative: str) -> Found | None:
        """What is known of an entry; None for what is gone, no file or folder, or a link to what is not allowed."""
        path = os.path.join(self._place.real, relative)  # noqa: PTH118 - a Path is not needed for text
        try:
            info = entry.stat(follow_symlinks=False)
            if stat.S_ISLNK(info.st_mode):
                info = details_of(self._roots.locate(path))
        except (OSError, NodeError):
            return None
        if not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
            return None
        is_file = stat.S_ISREG(info.st_mode)
        return {
            "name": entry.name,
            "path": path,
            "relative": relative,
            "type": "file" if is_file else "folder",
            "size": info.st_size if is_file else None,
            "modified": timestamp_text(info.st_mtime_ns // 1000),
            "media_type": media_type_of(entry.name) if is_file else None,
        }


def _is_text(name: str) -> bool:
    with suppress(UnicodeEncodeError):
        name.encode()
        return True
    return False
