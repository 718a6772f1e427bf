"""What nodes are given when they name a secret, and what events and results tell of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from flowcore.errors import WorkflowInvalid
from flowcore.events import to_wire
from flowcore.executions import ExecutionResult
from flowruntime import Runtime
from flowruntime.authoring import Context, Node, RetryableNodeError, Secret, node
from flowruntime.runtime import secret_places
from flowruntime.secrets import LimitedProvider
from flowruntime.secrets.keeping import SecretKeeper
from flowruntime.secrets.key_places import KeyFile
from flowruntime.secrets.redaction import Net
from flowruntime.stores import store_for

from tests.engine_nodes import workflow

pytestmark = pytest.mark.anyio

CANARY = "canary-7f3a91"


@node("local.take", effects="pure")
async def take(ctx: Context, *, text: Any = None, name: str = "") -> int:
    """Give the length of a secret, which tells little."""
    return len(ctx.secrets[name].reveal() if name else text)


@node("local.tell", effects="pure", retry_policy={"max_attempts": 2, "delay_ms": 0, "jitter": 0})
def tell(ctx: Context, *, token: Secret) -> None:
    """Tell a secret in every way that a node has, on a thread."""
    text = token.reveal()
    ctx.events.info(f"info {text}")
    ctx.events.warning(f"warning {text}")
    ctx.events.progress(50, f"progress {text}")
    ctx.events.stdout_line(f"stdout {text}")
    ctx.events.stderr_line(f"stderr {text}")
    raise RetryableNodeError(f"error {text}", code=f"test.{text}", remedy=f"remedy {text}", details={"in": [text]})


@node("local.echo", effects="pure")
async def echo(*, text: str) -> str:
    """Give a secret away."""
    return text


class Client(Node):
    """Takes a secret once, and tells it in an error of each of its attempts."""

    def __init__(self) -> None:
        self.token = ""

    async def initialize(self, ctx: Any) -> None:
        self.token = ctx.secrets["TOKEN"].reveal()

    async def execute(self, ctx: Context) -> Any:
        raise ValueError(self.token)


client = node("local.client", effects="pure", inputs=[], outputs=[])(Client)


@node("local.change", effects="pure", retry_policy={"max_attempts": 3, "delay_ms": 0, "jitter": 0})
async def change(ctx: Context, *, token: str, url: str, folder: str) -> str:
    """Change the secret as an operator would, until it is the third one."""
    if ctx.attempt == 3:
        return token[-1]
    keep(url, Path(folder), TOKEN=f"{CANARY}-{ctx.attempt + 1}")
    raise RetryableNodeError("Again.")


NODES = (take, tell, echo, client, change)


def keep(url: str, folder: Path, **texts: str) -> None:
    store = store_for(url)
    store.open()
    for name, text in texts.items():
        SecretKeeper(store.secrets, KeyFile(folder / "secrets.key")).set(name, text, 1)
    store.close()


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FLOW_HOME", str(tmp_path))
    for name in ("FLOW_SECRETS_KEY", "FLOW_SECRETS_KEY_FILE", "FLOW_SECRET_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return f"sqlite:///{tmp_path / 'flow.db'}"


async def outcome(url: str, document: dict[str, Any]) -> tuple[ExecutionResult, str]:
    """The result, and all that anybody is told of the execution."""
    async with Runtime(url, nodes=NODES) as runtime:
        result = await runtime.run(document)
        told = [to_wire(event, result.execution_id) async for event in runtime.follow(result.execution_id)]  # type: ignore[arg-type]
    return result, json.dumps(told) + repr(result)


async def test_a_stored_secret_is_what_expressions_and_nodes_get(url: str, tmp_path: Path) -> None:
    keep(url, tmp_path, TOKEN=CANARY)
    document = workflow(
        {
            "whole": {"node_type": "take", "config": {"text": "${{ secrets.TOKEN }}"}},
            "part": {"node_type": "take", "config": {"text": "Bearer ${{ secrets.TOKEN }}"}},
            "asked": {"node_type": "take", "config": {"name": "TOKEN"}},
        }
    )
    result, told = await outcome(url, document)
    assert result.outputs == {
        "whole": {"result": len(CANARY)},
        "part": {"result": len(CANARY) + 7},
        "asked": {"result": len(CANARY)},
    }
    assert CANARY not in told


async def test_the_environment_is_asked_before_the_database(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(url, tmp_path, TOKEN=CANARY)
    monkeypatch.setenv("FLOW_SECRET_TOKEN", "12345")
    result, _ = await outcome(url, workflow({"a": {"node_type": "take", "config": {"name": "TOKEN"}}}))
    assert result.outputs == {"a": {"result": 5}}


class Vault:
    """What a plugin may provide."""

    name = "vault"

    def get(self, name: str) -> str | None:
        return "1234567" if name == "TOKEN" else None

    def names(self) -> Iterable[str]:
        return ["TOKEN"]


async def test_the_providers_of_plugins_are_asked_before_the_database(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_places, "plugin_secrets", lambda _registry: [LimitedProvider(Vault(), "acme-vault")])
    keep(url, tmp_path, TOKEN=CANARY, OTHER="123")
    document = workflow({name: {"node_type": "take", "config": {"name": name}} for name in ("TOKEN", "OTHER")})
    result, _ = await outcome(url, document)
    assert result.outputs == {"TOKEN": {"result": 7}, "OTHER": {"result": 3}}


async def test_a_changed_secret_is_seen_by_the_next_attempt(url: str, tmp_path: Path) -> None:
    keep(url, tmp_path, TOKEN=f"{CANARY}-1")
    config = {"token": "${{ secrets.TOKEN }}", "url": url, "folder": str(tmp_path)}
    result, _ = await outcome(url, workflow({"a": {"node_type": "change", "config": config}}))
    assert result.outputs == {"a": {"result": "3"}}


async def test_a_missing_secret_and_a_missing_key_end_the_attempt_and_say_what_to_do(url: str, tmp_path: Path) -> None:
    asked = workflow({"a": {"node_type": "take", "config": {"name": "TOKEN"}}})
    named = workflow({"a": {"node_type": "take", "config": {"text": "${{ secrets.TOKEN }}"}}})
    for document in (asked, named):
        result, _ = await outcome(url, document)
        assert result.error is not None
        assert (result.error["code"], result.error["message"]) == ("secret.missing", "There is no secret 'TOKEN'.")
        assert "FLOW_SECRET_TOKEN" in result.error["remedy"]
    keep(url, tmp_path, TOKEN=CANARY)
    (tmp_path / "secrets.key").unlink()
    for document in (asked, named):
        result, _ = await outcome(url, document)
        assert result.error is not None
        assert result.error["code"] == "secret.key_missing"
        assert not result.error["retryable"]


async def test_a_missing_key_is_told_from_inside_an_expression_too(url: str, tmp_path: Path) -> None:
    keep(url, tmp_path, TOKEN=CANARY)
    (tmp_path / "secrets.key").unlink()
    config = {"text": "${{ length(secrets.TOKEN) }}"}
    result, _ = await outcome(url, workflow({"a": {"node_type": "take", "config": config}}))
    assert result.error is not None
    assert result.error["code"] == "secret.key_missing"


def loads_of_keys(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read of the disk for secrets from now on."""
    seen: list[str] = []
    lock = threading.Lock()
    read = KeyFile.read

    def reading(self: KeyFile) -> Any:
        with lock:
            seen.append("keys")
        return read(self)

    monkeypatch.setattr(KeyFile, "read", reading)
    return seen


async def test_nothing_is_read_for_workflows_that_name_no_secret_and_keys_are_read_once(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(url, tmp_path, TOKEN=CANARY)
    seen = loads_of_keys(monkeypatch)
    await outcome(url, workflow({"a": {"node_type": "take", "config": {"text": "plain"}}}))
    assert seen == []
    nodes = {f"n{number}": {"node_type": "take", "config": {"name": "TOKEN"}} for number in range(20)}
    result, _ = await outcome(url, workflow(nodes))
    assert result.status == "succeeded"
    assert seen == ["keys"]


@pytest.fixture(params=["memory", "database"])
def place(request: pytest.FixtureRequest, url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FLOW_SECRET_TOKEN", CANARY)
    return "memory:" if request.param == "memory" else url


def telling(**fields: Any) -> dict[str, Any]:
    config = {"token": "${{ secrets.TOKEN }}"}
    return workflow({"a": {"node_type": "tell", "config": config, **fields}})


async def test_what_a_node_tells_of_a_secret_is_masked(place: str) -> None:
    result, told = await outcome(place, telling())
    assert CANARY not in told
    assert result.error is not None
    assert (result.error["message"], result.error["remedy"]) == ("error ***", "remedy ***")
    assert (result.error["code"], result.error["details"]) == ("test.***", {"in": ["***"]})
    for word in ("info", "warning", "progress", "stdout", "stderr"):
        assert told.count(f"{word} ***") == 2, "in both attempts"


async def test_without_the_net_it_would_be_told(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Net, "add", lambda self, text: None)
    _, told = await outcome(place, telling())
    assert told.count(CANARY) > 10


async def test_an_error_that_is_routed_reaches_the_next_node_masked(place: str) -> None:
    document = telling(on_error="route")
    document["nodes"].append({"id": "b", "node_type": "debug.inspect"})
    document["connections"] = [{"from_node": "a", "from_port": "error", "to_node": "b", "to_port": "value"}]
    result, told = await outcome(place, document)
    assert result.status == "succeeded"
    assert result.node_outputs["b"]["value"]["message"] == "error ***"
    assert CANARY not in told


async def test_a_secret_that_an_instance_took_is_masked_in_later_executions(place: str) -> None:
    document = workflow({"a": {"node_type": "client"}})
    async with Runtime(place, nodes=NODES) as runtime:
        results = [await runtime.run(document) for _ in range(3)]
    assert [result.error and result.error["message"] for result in results] == ["***"] * 3


async def test_the_error_of_a_child_is_masked(place: str) -> None:
    body = {"name": "Body", "nodes": telling()["nodes"]}
    config = {"mode": "times", "times": 2, "body": body, "on_item_error": "collect"}
    result, told = await outcome(
        place, {"name": "Loop", "nodes": [{"id": "l", "node_type": "control.loop", "config": config}]}
    )
    assert CANARY not in told
    assert [error["error"]["message"] for error in result.node_outputs["l"]["errors"]] == ["error ***"] * 2


async def test_outputs_are_data_and_stay_as_they_are(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOW_SECRET_TOKEN", CANARY)
    result, _ = await outcome(url, workflow({"a": {"node_type": "echo", "config": {"text": "${{ secrets.TOKEN }}"}}}))
    assert result.node_outputs["a"] == {"result": CANARY}


@pytest.mark.parametrize(
    ("node_type", "config", "place"),
    [
        ("transform.set", {"fields": {"a": 1, "b": {"c": ["Bearer ${{ secrets.TOKEN }}"]}}}, "fields"),
        ("control.wait", {"signal": "${{ secrets.TOKEN }}"}, "signal"),
    ],
)
async def test_what_hands_its_config_on_takes_no_secrets(node_type: str, config: Any, place: str) -> None:
    with pytest.raises(WorkflowInvalid) as caught:
        await outcome("memory:", {"name": "Told", "nodes": [{"id": "a", "node_type": node_type, "config": config}]})
    (problem,) = caught.value.problems
    assert (problem.code, problem.pointer) == ("config.secret", f"/nodes/0/config/{place}")
    assert "takes no secrets" in problem.message
