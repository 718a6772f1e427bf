"""Writes files so that whoever looks sees the old content or the new one, also after a crash."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Literal, TypeAlias

from flowruntime.authoring import Context, FatalNodeError

from flownodes_files.faults import told
from flownodes_files.opening import READ, open_folder, require_file
from flownodes_files.roots import Place

__all__ = ["Content", "Mode", "checked", "move_new", "save", "stop_if_cancelled", "told_missing"]

Mode: TypeAlias = Literal["create", "overwrite", "append"]
#: Makes what is to be written; told the last bytes, 4 at most, of what stands before it. None do at a beginning.
Content: TypeAlias = Callable[[bytes], Iterable[bytes]]

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_APPEND: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_PART_BYTES: Final = 64 * 1024
#: As many as a line break may have.
_END_BYTES: Final = 4
#: How long a thread sleeps between two looks whether it is its turn.
_TURN_SECONDS: Final = 0.02


def save(ctx: Context, place: Place, content: Content, *, mode: Mode, make_folders: bool = False) -> int:
    """Write a file; how many bytes it has then.

    `create` and `overwrite` put a finished file in its place in one step: a process that is killed meanwhile leaves the
    old one, and a file `.flow-….tmp`, which the next attempt removes. `create` in a second attempt takes a file with
    this very content for its own. `append` takes back what it has written when it fails; killed, it may leave a part.
    Raises NodeError for what cannot be written, and what `content` raises.
    """
    with told(place.path):
        if not place.parts:
            raise IsADirectoryError(errno.EISDIR, "is a folder")
        with (
            told_missing(place, make_folders=make_folders),
            open_folder(place.root, place.parts[:-1], make=make_folders) as folder,
        ):
            if mode == "append":
                return _append(ctx, place, folder, content)
            return _replace(ctx, place, folder, content, may_exist=mode == "overwrite")


def checked(ctx: Context, parts: Iterable[bytes]) -> Iterator[bytes]:
    """The parts, until the attempt is cancelled: nothing that comes later counts.

    Raises FatalNodeError then; it is not seen by anybody.
    """
    for part in parts:
        stop_if_cancelled(ctx)
        yield part


def stop_if_cancelled(ctx: Context) -> None:
    """Raise FatalNodeError when nothing of the attempt counts any more."""
    if ctx.cancelled:
        raise FatalNodeError("The attempt is cancelled.", code="files.cancelled", remedy="")


def move_new(source: str, here: int, name: str, there: int) -> None:
    """Move a file from one open folder to another, where it must be new: a rename would replace what is there.

    Raises FileExistsError.
    """
    try:
        os.link(source, name, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}:
            raise
        # A file system without hard links: the name is taken by an empty file first.
        os.close(os.open(name, _NEW, 0o666, dir_fd=there))
        os.rename(source, name, src_dir_fd=here, dst_dir_fd=there)
    else:
        os.unlink(source, dir_fd=here)


@contextmanager
def told_missing(place: Place, *, make_folders: bool) -> Iterator[None]:
    """Raise FatalNodeError (`files.no_folder`) when the folder of a place that is opened inside does not exist."""
    try:
        yield
    except FileNotFoundError as error:
        if make_folders:
            raise
        raise FatalNodeError(
            f"The folder of {place.path!r} does not exist.",
            code="files.no_folder",
            remedy="Make it, or set `make_folders` to true.",
        ) from error


def _replace(ctx: Context, place: Place, folder: int, content: Content, *, may_exist: bool) -> int:
    before = _info(place.name, folder)
    if before is not None:
        require_file(before, place)
        if not may_exist and ctx.attempt == 1:
            raise FileExistsError(errno.EEXIST, "exists")
    key = ctx.idempotency_key[:16]
    for attempt in range(1, ctx.attempt + 1):
        # One of an attempt that was given up and is still busy loses its file, and then cannot put it in place.
        with suppress(FileNotFoundError):
            os.unlink(_name(key, attempt), dir_fd=folder)
    temporary = _name(key, ctx.attempt)
    descriptor = os.open(temporary, _NEW, 0o666, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as writer:
            if before is not None:
                os.fchmod(descriptor, stat.S_IMODE(before.st_mode) & 0o777)
            for part in checked(ctx, content(b"")):
                writer.write(part)
            writer.flush()
            os.fsync(descriptor)
            size = writer.tell()
        stop_if_cancelled(ctx)
        if may_exist:
            os.rename(temporary, place.name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            _put_new(ctx, temporary, place.name, folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    _sync_folder(folder)
    return size


def _put_new(ctx: Context, temporary: str, name: str, folder: int) -> None:
    """Give the temporary file its name. Raises FileExistsError when there is one already that is not the same."""
    try:
        move_new(temporary, folder, name, folder)
    except FileExistsError:
        if ctx.attempt == 1 or not _are_same(temporary, name, folder):
            raise
        os.unlink(temporary, dir_fd=folder)


def _append(ctx: Context, place: Place, folder: int, content: Content) -> int:
    before = _info(place.name, folder)
    if before is not None:
        require_file(before, place)
    descriptor = os.open(place.name, _APPEND, 0o666, dir_fd=folder)
    with os.fdopen(descriptor, "ab", buffering=0) as writer:
        require_file(os.fstat(descriptor), place)
        _take_turn(ctx, descriptor)
        start = os.fstat(descriptor).st_size
        end = os.pread(descriptor, _END_BYTES, max(start - _END_BYTES, 0))
        written = 0
        try:
            for part in checked(ctx, content(end)):
                rest = memoryview(part)
                while rest:
                    count = writer.write(rest)
                    written += count
                    rest = rest[count:]
            os.fsync(descriptor)
        except BaseException:
            # Programs that take no turns may have added to it, too, and theirs must stay.
            if os.fstat(descriptor).st_size == start + written:
                os.ftruncate(descriptor, start)
            raise
        size = os.fstat(descriptor).st_size
    if before is None:
        _sync_folder(folder)
    return size


def _take_turn(ctx: Context, descriptor: int) -> None:
    """Wait until no other node appends to the file; the turn ends when the descriptor is closed."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stop_if_cancelled(ctx)
            time.sleep(_TURN_SECONDS)
        else:
            return


def _are_same(one: str, other: str, folder: int) -> bool:
    with (
        os.fdopen(os.open(one, READ, dir_fd=folder), "rb") as left,
        os.fdopen(os.open(other, READ, dir_fd=folder), "rb") as right,
    ):
        while part := left.read(_PART_BYTES):
            if right.read(_PART_BYTES) != part:
                return False
        return not right.read(1)


def _name(key: str, attempt: int) -> str:
    return f".flow-{key}-{attempt}.tmp"


def _info(name: str, folder: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _sync_folder(folder: int) -> None:
    """Have the new name survive a loss of power, where the folder may be opened."""
    try:
        descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    except PermissionError:  # one may write to it, and not list it
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
