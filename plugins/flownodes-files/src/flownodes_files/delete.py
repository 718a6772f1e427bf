"""The node type `files.delete`: deletes a file or an empty folder."""

from __future__ import annotations

import errno
import os
import stat
from typing import Annotated, TypedDict

from flowruntime.authoring import Context, FatalNodeError, node

from flownodes_files.faults import told
from flownodes_files.opening import open_folder
from flownodes_files.repeats import may_be_done, note_missing
from flownodes_files.roots import Place, allowed_roots

__all__ = ["delete"]


class Deleted(TypedDict):
    """The outputs."""

    path: Annotated[str, "Where it lay, absolute; a link itself is deleted, not what it leads to."]
    deleted: Annotated[bool, "Whether there was something."]


@node(
    "files.delete",
    title="Delete File",
    description="Deletes a file, a link or an empty folder. That there is none is no error, unless `missing` says so.",
    category="Files",
    effects="write",
    examples=[
        {"title": "A file", "config": {}, "inputs": {"path": "tmp/old.csv"}, "needs": "the file"},
        {
            "title": "Outside of what is allowed",
            "config": {},
            "inputs": {"path": "/proc/self/mem"},
            "error": "files.outside",
        },
    ],
)
def delete(
    path: Annotated[str, "The file; relative paths begin at the first folder that is allowed."],
    ctx: Context,
    *,
    missing: Annotated[bool, "Whether a file that is not there is all right."] = True,
) -> Deleted:
    """Delete it."""
    place = allowed_roots().locate(path, follow=False, change=True)
    if not place.parts:
        raise FatalNodeError(
            f"{path!r} is a folder that the operator allows; it stays.",
            code="files.root",
            remedy="Name something in it.",
        )
    with told(path):
        try:
            _remove(place)
        except FileNotFoundError:
            if missing:
                return {"path": place.real, "deleted": False}
            if not may_be_done(ctx):
                note_missing(ctx)
                raise
    return {"path": place.real, "deleted": True}


def _remove(place: Place) -> None:
    with open_folder(place.root, place.parts[:-1]) as folder:
        info = os.stat(place.name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(info.st_mode):
            try:
                os.rmdir(place.name, dir_fd=folder)
            except FileExistsError as error:  # what some systems say of a folder that is not empty
                raise OSError(errno.ENOTEMPTY, "is not empty") from error
        else:
            os.unlink(place.name, dir_fd=folder)
