"""Asks a subprocess for the catalog of a package: nothing that its import does can reach this process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from flowcore.errors import PackError
from flowcore.packs import Catalog, Pack

from flowruntime.registry.catalogs import read_catalog

__all__ = ["inspect_package", "run_program"]


def inspect_package(pack: Pack, *, search_path: Sequence[str], timeout_seconds: float) -> Catalog:
    """The catalog of a pack from its code, imported in a fresh interpreter that searches `search_path` first.

    What the code prints is discarded; when time is up, the subprocess and all that it has started are killed.
    Raises PackError, with a code `inspect.…`, when there is no catalog to be had.
    """
    with tempfile.TemporaryDirectory(prefix="flow-inspect-") as folder:
        answer = Path(folder, "answer.json")
        request = {
            "package": pack.package,
            "namespace": pack.namespace,
            "pack": pack.distribution,
            "path": list(search_path),
            "answer": str(answer),
            "limit_seconds": timeout_seconds + 1,
        }
        status = run_program("flowruntime.registry.inspect", json.dumps(request), timeout_seconds)
        if answer.exists():
            given = json.loads(answer.read_bytes())
            if "error" not in given:
                return read_catalog(given["catalog"].encode(), pack)
            error = given["error"]
            raise PackError(error["message"], pack=pack.distribution, code=error["code"], remedy=error["remedy"])
    if status is None:
        raise PackError(
            f"Importing the package {pack.package!r} took longer than {timeout_seconds:g} s.",
            pack=pack.distribution,
            code="inspect.hung",
            remedy="Its modules must not wait or work when they are imported.",
        )
    ended = f"exit status {status}" if status >= 0 else f"signal {-status}"
    raise PackError(
        f"Importing the package {pack.package!r} ended the interpreter with {ended}.",
        pack=pack.distribution,
        code="inspect.died",
        remedy="Its modules must not end the process when they are imported.",
    )


def run_program(module: str, request: str, timeout_seconds: float) -> int | None:
    """Run a module that may come to harm; gives its exit status, None when time was up.

    What it prints is discarded, and what it has started is killed when it has ended.
    """
    # -P: the working directory is no place for modules. -B: nothing is written into anyone's sources.
    command = [sys.executable, "-P", "-B", "-m", module, request]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a process group of its own, to be killed as a whole
    )
    try:
        return process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(OSError):  # the group is empty
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
