"""A real PostgreSQL server in a temporary folder, on a free port of loopback."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

__all__ = ["PostgresServer", "serving_postgres"]

_PASSWORD = "Zpw%7f:@/secret"  # of a server that lives as long as a test
_PASSWORD_IN_URL = "Zpw%257f%3A%40%2Fsecret"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A server that runs; `url` is that of its database `postgres`, with a password that needs care."""

    programs: Path
    folder: Path
    port: int

    password = _PASSWORD

    @property
    def url(self) -> str:
        """Where it is."""
        return f"postgresql://postgres:{_PASSWORD_IN_URL}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self.folder / "log")
        _run(self.programs / "pg_ctl", "start", "-w", "-s", "-D", str(self.folder / "data"), "-l", log, "-o", options)

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""
        _run(self.programs / "pg_ctl", "stop", "-m", "immediate", "-w", "-s", "-D", str(self.folder / "data"))


@contextlib.contextmanager
def serving_postgres() -> Iterator[PostgresServer]:
    """A server of one's own; the test is skipped, visibly, when PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="flow-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        password = folder / "password"
        password.write_text(_PASSWORD)
        if os.geteuid() == 0:
            shutil.chown(password, "postgres")
        settings = ["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"]
        _run(programs / "initdb", "-D", str(folder / "data"), "--pwfile", str(password), *settings)
        server = PostgresServer(programs=programs, folder=folder, port=_free_port())
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):  # a test has killed it
                server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    """Where its programs are: Debian has them outside of PATH."""
    found = shutil.which("initdb")
    if found is not None and Path(found).with_name("pg_ctl").exists():
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return versions[-1].parent if versions else None


def _run(program: Path, *words: str) -> None:
    """Run one of its programs, which refuse to run as root."""
    other: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        other = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    # Not into a pipe: the server would keep it open.
    subprocess.run([program, *words], check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=180, **other)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
