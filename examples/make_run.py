"""What `make run` runs: the earthquakes example, against a small data set that this script serves on loopback.

Nothing here leaves the machine. To run the same workflow against the live data of a public API, give its URL to
`flow run` yourself; the README shows the command.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

__all__ = ["main", "run_to_its_end", "serving"]

_EXAMPLES = Path(__file__).resolve().parent
_WORKFLOW = "examples/earthquakes.json"
_DATA = "strongest_earthquakes.json"


def main() -> int:
    """Serve the data, run the example with the terminal as its own; gives its exit code."""
    with serving(_EXAMPLES / "data") as url:
        inputs = json.dumps({"url": f"{url}/{_DATA}"})
        arguments = ["run", _WORKFLOW, "--input", inputs, "--db", "memory:"]  # the user's database is not for examples
        print(f"Ten of the strongest earthquakes since 1900, served by {url}: is there cause for alarm?")
        print(f"$ {shlex.join(['flow', *arguments])}", flush=True)
        return run_to_its_end(
            [sys.executable, "-m", "flowcli", *arguments], folder=_EXAMPLES.parent, environment=_without_proxies()
        )


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the files of a folder on a free port of loopback until the block ends; gives `http://127.0.0.1:PORT`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run_to_its_end(
    command: Sequence[str], *, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> int:
    """Run a command with this process's streams; gives its exit code.

    Ctrl-C reaches the command too, which ends in its own time: here it is only waited for.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:  # which the command inherits, unlike a function
        # No KeyboardInterrupt to catch: right at the command's end its exit code would be lost.
        signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return subprocess.run(command, cwd=folder, env=environment, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def _without_proxies() -> dict[str, str]:
    """The environment, in which no proxy stands between the example and loopback."""
    return {**os.environ, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the terminal for the workflow."""


if __name__ == "__main__":
    sys.exit(main())
