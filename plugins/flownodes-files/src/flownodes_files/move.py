"""The node type `files.move`: moves or renames a file."""

from __future__ import annotations

import errno
import os
import stat
from typing import Annotated, TypedDict

from flowruntime.authoring import Context, node

from flownodes_files.faults import told
from flownodes_files.opening import open_folder, require_file
from flownodes_files.repeats import may_be_done, note_missing
from flownodes_files.roots import Place, allowed_roots
from flownodes_files.saving import move_new, told_missing

__all__ = ["move"]


class Moved(TypedDict):
    """The outputs."""

    path: Annotated[str, "Where it lies now, absolute and without links."]


@node(
    "files.move",
    title="Move File",
    description="Moves or renames a file, in one step and on one file system.",
    category="Files",
    effects="write",
    examples=[
        {
            "title": "Out of the way once it is done",
            "config": {"make_folders": True},
            "inputs": {"path": "inbox/order.csv", "to": "done/order.csv"},
            "needs": "the file",
        },
    ],
)
def move(
    path: Annotated[str, "The file; relative paths begin at the first folder that is allowed. A link moves itself."],
    to: Annotated[str, "Where to, with its name."],
    ctx: Context,
    *,
    overwrite: Annotated[bool, "Whether a file that is there already is replaced."] = False,
    make_folders: Annotated[bool, "Whether folders are made that are missing."] = False,
) -> Moved:
    """Move the file."""
    roots = allowed_roots()
    source = roots.locate(path, follow=False, change=True)
    target = roots.locate(to, change=True)
    with told(path):
        for place in (source, target):
            if not place.parts:
                raise IsADirectoryError(errno.EISDIR, "is a folder")
        with open_folder(source.root, source.parts[:-1]) as here:
            info = _info(source.name, here)
            with (
                told(to),
                told_missing(target, make_folders=make_folders),
                open_folder(target.root, target.parts[:-1], make=make_folders) as there,
            ):
                before = _info(target.name, there)
                if info is None and before is not None and may_be_done(ctx):
                    return {"path": target.real}  # an attempt before this one did it, and could not say so
                if before is not None:
                    require_file(before, target)
                if info is not None:
                    _require_movable(info, source)
                    if (overwrite or ctx.attempt > 1) and _are_names_of_one(info, before, source, target):
                        # Killed between the two steps of a move, or linked by somebody: a rename would do nothing.
                        os.unlink(source.name, dir_fd=here)
                    elif overwrite:
                        os.rename(source.name, target.name, src_dir_fd=here, dst_dir_fd=there)
                    else:
                        move_new(source.name, here, target.name, there)
            if info is None:
                note_missing(ctx)
                raise FileNotFoundError(errno.ENOENT, "is missing")
    return {"path": target.real}


def _are_names_of_one(info: os.stat_result, before: os.stat_result | None, source: Place, target: Place) -> bool:
    """Whether source and target are two names of one file. One name is none, however it is spelt."""
    return before is not None and os.path.samestat(info, before) and info.st_nlink > 1 and source.real != target.real


def _require_movable(info: os.stat_result, source: Place) -> None:
    with told(source.path):
        if not stat.S_ISLNK(info.st_mode):
            require_file(info, source)


def _info(name: str, folder: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
