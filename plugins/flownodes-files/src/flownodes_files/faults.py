"""Tells what went wrong with a file: errors of the operating system as errors of nodes, with what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from flowruntime.authoring import FatalNodeError, NodeError, RetryableNodeError

__all__ = ["told"]

#: Code, cause and remedy by number; `{path}` is the path as the workflow says it.
_FATAL: Final = {
    errno.EISDIR: ("files.is_folder", "{path!r} is a folder.", "Name a file; files.list tells what is in a folder."),
    errno.ENOTDIR: (
        "files.not_a_folder",
        "{path!r} leads through something that is no folder.",
        "Name a folder; or the path was changed while it was opened, then try again.",
    ),
    errno.ELOOP: ("files.link", "{path!r} is a link that leads nowhere.", "Mend the link, or name a file."),
    errno.ENAMETOOLONG: ("files.path", "{path!r:.80}… is longer than a path may be.", "Shorten it."),
    errno.EEXIST: (
        "files.exists",
        "{path!r} exists already.",
        "Choose another name, or allow it to be replaced.",
    ),
    errno.EACCES: (
        "files.permission",
        "{path!r} may not be used by the user who runs the workflow.",
        "Change its permissions, or those of its folder.",
    ),
    errno.EROFS: ("files.read_only", "{path!r} lies on a file system that is read-only.", "Choose another folder."),
    errno.ENOTEMPTY: ("files.not_empty", "{path!r} is a folder with something in it.", "Empty it first."),
    errno.EINVAL: ("files.path", "{path!r} is no name that the file system takes.", "Choose another name."),
    errno.EXDEV: (
        "files.other_device",
        "{path!r} lies on another file system, where nothing can be moved to in one step.",
        "Copy it with files.copy, then delete it with files.delete.",
    ),
}
#: Those that may pass.
_PASSING: Final = {
    errno.ENOENT: ("files.not_found", "{path!r} does not exist.", "Check the path; a retry policy waits for a file."),
    errno.ENOSPC: ("files.disk_full", "There is no space left for {path!r}.", "Free some space."),
}
_SAME: Final = {
    errno.EPERM: errno.EACCES,
    errno.EDQUOT: errno.ENOSPC,
    errno.EFBIG: errno.ENOSPC,
    errno.EILSEQ: errno.EINVAL,
}


@contextmanager
def told(path: str) -> Iterator[None]:
    """Raise NodeError for what the operating system refuses inside. `path` is what the workflow calls the file."""
    try:
        yield
    except OSError as error:
        raise _of(error, path) from error


def _of(error: OSError, path: str) -> NodeError:
    number = _SAME.get(error.errno or 0, error.errno or 0)
    for kind, table in ((FatalNodeError, _FATAL), (RetryableNodeError, _PASSING)):
        if number in table:
            code, cause, remedy = table[number]
            return kind(cause.format(path=path), code=code, remedy=remedy)
    reason = error.strerror or str(error)
    return RetryableNodeError(
        f"{path!r} could not be used: {reason}.", code="files.failed", remedy="See to the disk, then try again."
    )
