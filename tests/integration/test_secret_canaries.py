"""A canary is used as a secret in every way there is, and then searched for everywhere: nobody was told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from tests.http_server import serving

CANARY = "cAnary/7f+3a91?c0ffee"
#: How it may be written: as it is, in a URL, and in base64 behind none, one and two bytes.
FORMS = {
    "plain": CANARY,
    "url": quote(CANARY, safe=""),
    **{f"base64 behind {before}": b64encode(b"-" * before + CANARY.encode()).decode()[4:24] for before in range(3)},
}
NODES = str(Path(__file__).parent / "canary_nodes.py")
TOKEN = "${{ secrets.TOKEN }}"


def server(environ: Any, start_response: Any) -> Iterable[bytes]:
    """Refuses `/refuse`, and says what it was sent."""
    told = {name: text for name, text in environ.items() if name.startswith("HTTP_")}
    told["query"] = environ["QUERY_STRING"]
    SEEN.append(told)
    if environ["PATH_INFO"] == "/refuse":
        start_response(
            "401 Unauthorized", [("Content-Type", "application/json"), ("X-Told", told["HTTP_AUTHORIZATION"])]
        )
        return [json.dumps(told).encode()]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]


SEEN: list[dict[str, str]] = []


def nodes(url: str, home: Path, seen: Path) -> list[dict[str, Any]]:
    """Nodes that use the secret, none of which ends the workflow when it fails."""

    def request(path: str, **config: Any) -> dict[str, Any]:
        return {"node_type": "http.request", "inputs": {"url": f"{url}{path}"}, "config": config}

    def local(name: str, **config: Any) -> dict[str, Any]:
        return {"node_type": f"local.{name}", "config": config}

    child = {"name": "Child", "nodes": [{"id": "c", **request("/child", headers={"X-Key": f"child {TOKEN}"})}]}
    body = {"name": "Body", "nodes": [{"id": "b", **local("blurt", token=f"in a loop {TOKEN}")}]}
    loop = {"mode": "times", "times": 3, "concurrency": 2, "on_item_error": "collect", "body": body}
    made = {
        "bearer": request("/bearer", auth={"type": "bearer", "token": TOKEN}),
        "inside": request("/inside", headers={"X-Key": f"key {TOKEN}"}, query={"key": TOKEN}),
        "refused": request("/refuse", auth={"type": "basic", "username": "me", "password": TOKEN}),
        "nobody": {**request("", query={"key": TOKEN}), "inputs": {"url": "http://127.0.0.1:1/"}},
        "blurted": local("blurt", token=TOKEN),
        "insisted": local("insist", token=f"inside {TOKEN}"),
        "chatted": local("chat", token=TOKEN),
        "rested": local("rest", token=TOKEN),
        "kept": local("keeper"),
        "misread": request("/never", timeout_ms=TOKEN),
        "miscounted": local("insist", token="${{ abs(secrets.TOKEN) }}"),
        "looped": {"node_type": "control.loop", "config": loop},
        "subflow": {"node_type": "control.subflow", "config": {"workflow": child}},
    }
    look = {"node_type": "local.look", "config": {"home": str(home), "into": str(seen)}}
    return [
        *({"id": name, **fields, "on_error": "continue"} for name, fields in made.items()),
        {"id": "look", **look},
    ]


def everything(url: str, home: Path, seen: Path) -> dict[str, Any]:
    """A workflow with all of them; at last somebody looks around."""
    last = ["inside", "insisted", "rested", "looped", "subflow"]
    arrows = [{"from_node": name, "from_port": "done", "to_node": "look", "to_port": "after"} for name in last]
    return {"id": "all", "name": "All", "nodes": nodes(url, home, seen), "connections": arrows}


def failing() -> dict[str, Any]:
    """A workflow that starts again, and then fails."""
    node = {"id": "a", "node_type": "local.blurt", "config": {"token": TOKEN}}
    return {"name": "Fail", "nodes": [node], "settings": {"on_error": {"RetryWorkflow": {"max_attempts": 2}}}}


class Told(NamedTuple):
    """What there is to be searched: texts by what they are, and a folder."""

    texts: dict[str, str]
    folder: Path
    seen: Path

    def found(self) -> set[str]:
        """Where the canary is, in any of its forms."""
        data = {name: text.encode() for name, text in self.texts.items()}
        data |= {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }
        return {name for name, content in data.items() for form in FORMS.values() if form.encode() in content}


def used(folder: Path, url: str, **environment: str) -> Told:
    """Set the secret, run the workflows, and ask for all that can be asked for."""
    home, seen, temporary = folder / "home", folder / "seen", folder / "tmp"
    temporary.mkdir()
    known = {**os.environ, "FLOW_HOME": str(home), "TMPDIR": str(temporary), "FLOW_DEBUG": "1", **environment}
    texts: dict[str, str] = {}

    def flow(*words: str, stdin: str = "", codes: tuple[int, ...] = (0,)) -> str:
        command = [sys.executable, "-m", "flowcli", *words]
        ended = subprocess.run(
            command, input=stdin, cwd=folder, env=known, capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode in codes, ended.stderr
        name = " ".join(words)
        texts[f"stdout of {name}"] = ended.stdout
        texts[f"stderr of {name}"] = ended.stderr
        return ended.stdout

    (folder / "all.json").write_text(json.dumps(everything(url, home, seen)))
    (folder / "fail.json").write_text(json.dumps(failing()))
    flow("secrets", "set", "TOKEN", stdin=CANARY)
    flow("secrets", "rotate")
    flow("secrets", "list", "--json")
    flow("run", "all.json", "--nodes", NODES, "--json")
    flow("run", "all.json", "--nodes", NODES, "--events")
    flow("run", "fail.json", "--nodes", NODES, codes=(1,))
    executions = json.loads(flow("executions", "list", "--json"))["executions"]
    assert len(executions) == 3
    for execution in executions:
        for task in ("show", "events"):
            flow("executions", task, execution["execution_id"], "--json")
    flow("executions", "show", executions[-1]["execution_id"])
    flow("executions", "events", executions[-1]["execution_id"])
    return Told(texts, folder, seen)


@pytest.fixture
def url() -> Iterator[str]:
    SEEN.clear()
    with serving(server) as made:
        yield made


def test_a_secret_that_is_used_everywhere_is_told_nowhere(tmp_path: Path, url: str) -> None:
    told = used(tmp_path, url)
    assert told.found() == set()
    # It was used, though, and looked for where it could be:
    sent = json.dumps(SEEN)
    for text in (f"Bearer {CANARY}", f"key {CANARY}", f"child {CANARY}", quote(CANARY, safe="")):
        assert text in sent
    assert b64encode(f"me:{CANARY}".encode()).decode() in sent
    assert b"flowcli" in (told.seen / "cmdlines").read_bytes()
    assert {"flow.db", "flow.db-wal"} <= {path.name for path in told.seen.iterdir()}
    assert "info ***" in told.texts["stdout of run all.json --nodes " + NODES + " --events"]
    result = json.loads(told.texts["stdout of run all.json --nodes " + NODES + " --json"])
    assert set(result["failed_nodes"]) == {"refused", "nobody", "blurted", "kept", "misread", "miscounted"}
    assert result["node_outputs"]["rested"] == {"result": 2}


def test_without_the_net_it_is_found_in_the_database_and_in_what_commands_tell(tmp_path: Path, url: str) -> None:
    told = used(tmp_path, url, CANARIES_ARE_FREE="1")
    found = told.found()
    assert {"home/flow.db", "seen/flow.db-wal"} <= found
    places = (
        "stdout of run all.json",
        "stderr of run fail.json",
        "stdout of executions show",
        "stdout of executions events",
    )
    for place in places:
        assert any(name.startswith(place) for name in found), place
    # What holds without the net: the wall.
    assert not {name for name in found if "secrets" in name or "cmdlines" in name or "environ" in name}
