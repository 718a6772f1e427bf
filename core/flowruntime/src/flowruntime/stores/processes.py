"""Which process this is, and whether another one of this machine is gone.

A process is named by host, boot, pid and start, so that a pid that is given to another process later names nobody
else. `boot_id` has three parts, `machine:boot:pid namespace`, for example `1c7e02f4:3f1b…:pid:[4026531836]`: pids of
another namespace (of a container) say nothing here, so those processes count as ones of another host. So do those of
a machine that has the same name by chance. Where a part is not known, nobody is taken for gone.
"""

from __future__ import annotations

import os
import sys
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from flowcore.contracts import Owner

__all__ = ["is_gone", "this_process"]

#: In `/proc/PID/stat`, counted from behind the name in parentheses: the state, and the start in ticks since boot.
_STATE, _START = 0, 19
#: Of a boot id.
_PARTS: Final = 3
#: A zombie runs nothing any more, whether its parent asks for its status or not.
_DEAD_STATES: Final = frozenset({"Z", "X", "x"})


def this_process(name: str | None = None) -> Owner:
    """This process as one that runs executions, with a name that nobody else has unless one is given.

    >>> owner = this_process()
    >>> owner.is_given, is_gone(owner)
    (False, False)
    """
    host, boot_id = _here()
    pid = os.getpid()
    start = 0
    with suppress(OSError, ValueError):
        _, start = _look_at(pid)
    return Owner(
        name=name or f"{host}-{pid}-{os.urandom(2).hex()}",
        is_given=name is not None,
        host=host,
        boot_id=boot_id if start else "",
        pid=pid,
        process_start=start,
    )


def is_gone(owner: Owner) -> bool:
    """Whether the process has certainly ended. False for one of another host, which cannot be seen from here."""
    host, boot_id = _here()
    parts, its_parts = boot_id.split(":", 2), owner.boot_id.split(":", 2)
    if owner.host != host or not len(parts) == len(its_parts) == _PARTS:
        return False
    (machine, boot, namespace), (its_machine, its_boot, its_namespace) = parts, its_parts
    if its_machine != machine:
        return False
    if its_boot != boot:
        return True
    return its_namespace == namespace and _has_ended(owner.pid, owner.process_start)


@cache
def _here() -> tuple[str, str]:
    """The name of this host, and the boot id, empty when pids cannot be judged."""
    host = os.uname().nodename
    with suppress(OSError, ValueError):
        if sys.platform == "darwin":
            return host, f"{_ask('sysctl', '-n', 'kern.uuid')}:{_ask('sysctl', '-n', 'kern.bootsessionuuid')}:"
        # A /proc that was mounted in another namespace shows other processes under our pids.
        if str(Path("/proc/self").readlink()) == str(os.getpid()):
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            return host, f"{_machine()}:{boot}:{Path('/proc/self/ns/pid').readlink()}"
    return host, ""


def _machine() -> str:
    """A hash of the machine's id, which itself is to stay private; empty in most containers."""
    with suppress(OSError):
        return f"{zlib.crc32(Path('/etc/machine-id').read_bytes()):08x}"
    return ""


def _has_ended(pid: int, start: int) -> bool:
    try:
        state, its_start = _look_at(pid)
    except (OSError, ValueError):
        return not _exists(pid)
    return state in _DEAD_STATES or its_start != start


def _exists(pid: int) -> bool:
    """Asked of the kernel, which does not hide the processes of other users as /proc may."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _look_at(pid: int) -> tuple[str, int]:
    """The state of a process and when it was started. Raises OSError or ValueError when it cannot be seen."""
    if sys.platform == "darwin":
        return _look_by_ps(pid)
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return fields[_STATE], int(fields[_START])


def _look_by_ps(pid: int) -> tuple[str, int]:
    import calendar
    import time

    state, _, started = _ask("ps", "-o", "stat=,lstart=", "-p", str(pid)).partition(" ")
    return state[:1], calendar.timegm(time.strptime(started.strip(), "%a %b %d %H:%M:%S %Y"))


def _ask(*command: str) -> str:
    """What a program of the system says. Raises OSError or ValueError when it says nothing."""
    import subprocess

    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=environment).stdout.strip()
    if not said:
        msg = f"{command[0]} says nothing"
        raise ValueError(msg)
    return said
