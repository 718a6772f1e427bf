"""Opens what lies at a place, step by step from its root, so that no link that is put there meanwhile leads outside."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Final

from flowruntime.authoring import FatalNodeError, RetryableNodeError

from flownodes_files.faults import told
from flownodes_files.roots import Place

__all__ = ["READ", "details_of", "open_folder", "open_to_read", "require_file"]

#: Not `O_NONBLOCK` alone: what is opened was no FIFO a moment ago, and must not be one that blocks now.
READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# With O_PATH, which only Linux has, a folder need not be readable to be passed through.
_PASS: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def open_folder(root: str, parts: tuple[str, ...], *, make: bool = False) -> Iterator[int]:
    """A descriptor of the folder `parts` below `root`, which has no links in it. With `make` missing ones are made.

    Raises OSError, ENOTDIR when a part is a link now.
    """
    descriptor = os.open(root, _PASS)
    try:
        for part in parts:
            try:
                inner = os.open(part, _PASS | os.O_NOFOLLOW, dir_fd=descriptor)
            except FileNotFoundError:
                if not make:
                    raise
                with suppress(FileExistsError):  # somebody was quicker
                    os.mkdir(part, dir_fd=descriptor)
                inner = os.open(part, _PASS | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def open_to_read(place: Place, *, check: bool = True) -> Iterator[tuple[BinaryIO, os.stat_result]]:
    """The file at a place, and what is known of it.

    With `check`, that it has not changed meanwhile is looked at in the end. Raises NodeError for what cannot be read,
    and RetryableNodeError (`files.changed`) for a file that was written to while it was read.
    """
    with told(place.path):
        if not place.parts:
            raise IsADirectoryError(errno.EISDIR, "is a folder")
        with open_folder(place.root, place.parts[:-1]) as folder:
            # Looked at first: opening some devices does something.
            require_file(os.stat(place.name, dir_fd=folder, follow_symlinks=False), place)
            descriptor = os.open(place.name, READ, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as reader:
            before = os.fstat(descriptor)
            require_file(before, place)
            yield reader, before
            after = os.fstat(descriptor)
    if check and (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise RetryableNodeError(
            f"{place.path!r} was written to while it was read.",
            code="files.changed",
            remedy="Try again once it is complete; a retry policy does.",
        )


def details_of(place: Place) -> os.stat_result:
    """What is known of what lies at a place, a link itself. Raises NodeError."""
    with told(place.path), open_folder(place.root, place.parts[:-1]) as folder:
        return os.stat(place.name if place.parts else ".", dir_fd=folder, follow_symlinks=False)


def require_file(info: os.stat_result, place: Place) -> None:
    """Raise what says that it is none: OSError for folders and links, FatalNodeError for devices, FIFOs and sockets."""
    if stat.S_ISDIR(info.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder")
    if stat.S_ISLNK(info.st_mode):
        raise OSError(errno.ELOOP, "is a link")
    if not stat.S_ISREG(info.st_mode):
        raise FatalNodeError(
            f"{place.path!r} is no file but a device, a pipe or a socket.",
            code="files.not_a_file",
            remedy="Name a file.",
        )
