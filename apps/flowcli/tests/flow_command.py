"""Runs the command `flow`: as users do, as a process of its own away from this tree, or quicker inside this one."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flowcli.main import main

__all__ = ["NODES", "Ended", "Flow", "FlowInside", "chain", "node"]

#: The file with the nodes of these tests, for --nodes.
NODES = str(Path(__file__).parent / "fixtures" / "cli_nodes.py")

# What of the tests' own surroundings would change what `flow` does.
_NOT_PASSED_ON = frozenset({"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM", "FLOW_DEBUG", "PYTHONWARNINGS"})


class Ended(NamedTuple):
    """How a process ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote to stdout, which must be one JSON text."""
        return json.loads(self.out)

    @property
    def events(self) -> list[Any]:
        """What it wrote to stdout, which must be a JSON text a line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Flow:
    """The command, run in a folder, with a home of its own."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON} | {
            "FLOW_HOME": str(home)
        }

    def __call__(self, *words: str, stdin: str | bytes = b"", **environment: str) -> Ended:
        """Run it to its end."""
        ended = subprocess.run(
            self.command(*words),
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            check=False,
            timeout=180,
        )
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode(errors="replace"))

    def start(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start it, with pipes to all three streams."""
        return subprocess.Popen(
            self.command(*words),
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def command(self, *words: str) -> list[str]:
        """The words that start it."""
        return [sys.executable, "-m", "flowcli", *words]

    def write(self, name: str, content: str | bytes | Mapping[str, Any]) -> str:
        """Write a file into its folder; gives the name. An object is written as JSON."""
        data = json.dumps(content) if isinstance(content, Mapping) else content
        (self.folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
        return name


class FlowInside(Flow):
    """The command run by this process, a tenth of a second quicker: for what does not depend on being a process."""

    def __init__(
        self, folder: Path, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        super().__init__(folder, home)
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *words: str, stdin: str | bytes = b"", **environment: str) -> Ended:
        """Run it to its end."""
        content = stdin.encode() if isinstance(stdin, str) else stdin
        with self._monkeypatch.context() as patch:
            patch.chdir(self.folder)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
            for name in _NOT_PASSED_ON:
                patch.delenv(name, raising=False)
            for name, value in {"FLOW_HOME": self.environment["FLOW_HOME"], **environment}.items():
                patch.setenv(name, value)
            code = main(words)
        return Ended(code, *self._capsys.readouterr())


def node(node_id: str, node_type: str, **fields: Any) -> dict[str, Any]:
    """A node of a document; what is not a field of nodes is config."""
    known = {"inputs", "on_error", "retry_policy", "disabled", "timeout_ms", "cache"}
    made: dict[str, Any] = {"id": node_id, "node_type": node_type}
    made.update({name: value for name, value in fields.items() if name in known})
    made["config"] = {name: value for name, value in fields.items() if name not in known}
    return made


def chain(*nodes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A workflow whose nodes run one after the other."""
    connections = [
        {"from_node": one["id"], "from_port": "done", "to_node": other["id"], "to_port": "after"}
        for one, other in pairwise(nodes)
    ]
    return {"name": "Chain", "nodes": list(nodes), "connections": connections, **fields}
