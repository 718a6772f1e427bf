"""The node type `files.copy`: copies a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, TypedDict

from flowruntime.authoring import Context, node

from flownodes_files.opening import open_to_read
from flownodes_files.roots import Place, allowed_roots
from flownodes_files.saving import Mode, save

__all__ = ["copy"]

_PART_BYTES: Final = 256 * 1024


class Copied(TypedDict):
    """The outputs."""

    path: Annotated[str, "Where the copy lies, absolute and without links."]
    size: Annotated[int, "How many bytes it has."]


@node(
    "files.copy",
    title="Copy File",
    description="Copies the content of a file of any size to another, which is there in one step.",
    category="Files",
    effects="write",
    examples=[
        {
            "title": "Kept aside",
            "config": {"make_folders": True, "overwrite": True},
            "inputs": {"path": "report.md", "to": "old/report.md"},
            "needs": "the file",
        },
    ],
)
def copy(
    path: Annotated[str, "The file; relative paths begin at the first folder that is allowed."],
    to: Annotated[str, "The copy, with its name."],
    ctx: Context,
    *,
    overwrite: Annotated[bool, "Whether a file that is there already is replaced."] = False,
    make_folders: Annotated[bool, "Whether folders are made that are missing."] = False,
) -> Copied:
    """Copy the file."""
    roots = allowed_roots()
    source = roots.locate(path)
    place = roots.locate(to, change=True)
    mode: Mode = "overwrite" if overwrite else "create"
    size = save(ctx, place, lambda _: _parts(source), mode=mode, make_folders=make_folders)
    return {"path": place.real, "size": size}


def _parts(source: Place) -> Iterator[bytes]:
    with open_to_read(source) as (reader, _):
        while part := reader.read(_PART_BYTES):
            yield part
