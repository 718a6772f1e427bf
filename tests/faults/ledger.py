"""A ledger of side effects, kept by a process that nobody kills: `ledger.py` writes its port, then serves.

A line with a JSON array is an entry, and is answered when it stands in the ledger; a line `all` asks for all of them,
and `clear` forgets them.
"""

from __future__ import annotations

import json
import socket
import socketserver
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Entry", "Ledger", "enter", "ledger"]


class Entry(NamedTuple):
    """An effect that happened: which attempt of which node made it, and with which idempotency key."""

    execution_id: str
    path: Sequence[Sequence[Any]]
    node_id: str
    attempt: int
    key: str


class Ledger(NamedTuple):
    """Where the ledger is served."""

    port: int

    def entries(self) -> list[Entry]:
        """All entries, in the order in which they were made."""
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"all\n")
            with connection.makefile() as lines:
                return [Entry(*entry) for entry in json.loads(lines.readline())]

    def clear(self) -> None:
        """Begin anew."""
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"clear\n")
            assert connection.recv(1)


def enter(port: int, entry: Entry) -> None:
    """Make an entry; it is there when this returns."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(json.dumps(entry).encode() + b"\n")
        assert connection.recv(1)


@contextmanager
def ledger() -> Iterator[Ledger]:
    """A ledger of its own."""
    with subprocess.Popen([sys.executable, "-S", str(Path(__file__))], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Ledger(int(process.stdout.readline()))
        finally:
            process.kill()


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with suppress(ConnectionError):  # whoever made the entry was killed
            self._serve()

    def _serve(self) -> None:
        for line in self.rfile:
            if line == b"all\n":
                self.wfile.write(json.dumps(_ENTRIES).encode() + b"\n")
            elif line == b"clear\n":
                _ENTRIES.clear()
                self.wfile.write(b".")
            else:
                _ENTRIES.append(json.loads(line))
                self.wfile.write(b".")


_ENTRIES: list[Any] = []

if __name__ == "__main__":
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()
