"""Files are copied, moved and deleted, each in one step."""

import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from flowcore.executions import ExecutionResult
from flownodes_files.copy import copy
from flownodes_files.delete import delete
from flownodes_files.move import move
from flowruntime import Runtime
from flowruntime.authoring import FatalNodeError, NodeError, RetryableNodeError

Run: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]


def files(data: Path) -> dict[str, str]:
    return {str(path.relative_to(data)): path.read_text() for path in data.rglob("*") if path.is_file()}


async def test_a_copy_is_another_file(run: Run, data: Path) -> None:
    (data / "a").write_text("one")
    assert await run(copy, {"path": "a", "to": "new/b"}, make_folders=True) == {"path": str(data / "new/b"), "size": 3}
    assert files(data) == {"a": "one", "new/b": "one"}


async def test_a_moved_file_is_there_no_more(run: Run, data: Path) -> None:
    (data / "a").write_text("one")
    assert await run(move, {"path": "a", "to": "new/b"}, make_folders=True) == {"path": str(data / "new/b")}
    assert files(data) == {"new/b": "one"}


@pytest.mark.parametrize("node", [copy, move])
async def test_what_is_there_is_replaced_only_when_asked_for(run: Run, data: Path, node: Any) -> None:
    (data / "a").write_text("one")
    (data / "b").write_text("two")
    with pytest.raises(FatalNodeError) as raised:
        await run(node, {"path": "a", "to": "b"})
    assert raised.value.code == "files.exists"
    assert files(data) == {"a": "one", "b": "two"}
    await run(node, {"path": "a", "to": "b"}, overwrite=True)
    assert (data / "b").read_text() == "one"


@pytest.mark.parametrize("node", [copy, move])
@pytest.mark.parametrize(
    ("path", "to", "code"),
    [
        ("missing", "b", "files.not_found"),
        ("folder", "b", "files.is_folder"),
        ("a", "folder", "files.is_folder"),
        ("a", "no/b", "files.no_folder"),
        (".", "b", "files.is_folder"),
        ("a", ".", "files.is_folder"),
        ("a", "flow.toml", "files.protected"),
    ],
)
async def test_what_cannot_be_done_leaves_all_as_it_was(
    run: Run, data: Path, node: Any, *, path: str, to: str, code: str
) -> None:
    (data / "a").write_text("one")
    (data / "folder").mkdir()
    with pytest.raises(NodeError) as raised:
        await run(node, {"path": path, "to": to}, overwrite=True)
    assert raised.value.code == code
    assert files(data) == {"a": "one"}


async def test_a_file_is_deleted_once(run: Run, data: Path) -> None:
    (data / "a").write_text("one")
    assert await run(delete, {"path": "a"}) == {"path": str(data / "a"), "deleted": True}
    assert await run(delete, {"path": "a"}) == {"path": str(data / "a"), "deleted": False}
    with pytest.raises(RetryableNodeError):
        await run(delete, {"path": "a"}, missing=False)


async def test_of_folders_only_empty_ones_are_deleted_and_never_a_root(run: Run, data: Path) -> None:
    (data / "full").mkdir()
    (data / "full" / "a").touch()
    (data / "empty").mkdir()
    assert (await run(delete, {"path": "empty/"}))["deleted"]
    for path, code in [("full", "files.not_empty"), (".", "files.root"), ("full/..", "files.root")]:
        with pytest.raises(FatalNodeError) as raised:
            await run(delete, {"path": path})
        assert raised.value.code == code
    assert files(data) == {"full/a": ""}


# --- done again ---------------------------------------------------------------------------------------


async def attempted(folder: Path, monkeypatch: pytest.MonkeyPatch, node_type: str, **said: Any) -> ExecutionResult:
    """A workflow of one node that is tried three times, in the folder."""
    monkeypatch.chdir(folder)
    policy = {"max_attempts": 3, "delay_ms": 1}
    node = {"id": "node", "node_type": node_type, "retry_policy": policy, **said}
    async with Runtime() as runtime:
        return await runtime.run({"name": "Tried", "nodes": [node]})


def breaking_once(monkeypatch: pytest.MonkeyPatch, *, done: bool) -> None:
    """Has the next removal of the name `a` fail, after it is `done` or before."""
    unlink = os.unlink

    def break_once(path: Any, **given: Any) -> None:
        if done or path != "a":
            unlink(path, **given)
        if path == "a":
            monkeypatch.setattr(os, "unlink", unlink)
            raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "unlink", break_once)


async def test_a_move_that_was_broken_off_between_its_steps_is_ended_by_the_next_attempt(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "a").write_text("one")
    breaking_once(monkeypatch, done=False)
    result = await attempted(data, monkeypatch, "files.move", inputs={"path": "a", "to": "b"})
    assert (result.status, files(data)) == ("succeeded", {"b": "one"})


@pytest.mark.parametrize("node_type", ["files.move", "files.delete"])
async def test_what_an_attempt_before_has_done_without_telling_is_done(
    data: Path, monkeypatch: pytest.MonkeyPatch, node_type: str
) -> None:
    (data / "a").write_text("one")
    breaking_once(monkeypatch, done=True)
    said: dict[str, Any] = {"inputs": {"path": "a", "to": "b"}}
    if node_type == "files.delete":
        said = {"inputs": {"path": "a"}, "config": {"missing": False}}
    result = await attempted(data, monkeypatch, node_type, **said)
    assert (result.status, "a" in files(data)) == ("succeeded", False)


@pytest.mark.parametrize("node_type", ["files.move", "files.delete"])
async def test_a_file_that_was_never_there_is_missed_in_every_attempt(
    data: Path, monkeypatch: pytest.MonkeyPatch, node_type: str
) -> None:
    (data / "b").write_text("of yesterday")
    said: dict[str, Any] = {"inputs": {"path": "a", "to": "b"}}
    if node_type == "files.delete":
        said = {"inputs": {"path": "a"}, "config": {"missing": False}}
    result = await attempted(data, monkeypatch, node_type, **said)
    assert result.error is not None
    assert (result.error["code"], result.error["attempt"]) == ("files.not_found", 3)


async def test_two_names_of_one_file_become_one(run: Run, data: Path) -> None:
    (data / "a").write_text("one")
    (data / "b").hardlink_to(data / "a")
    await run(move, {"path": "a", "to": "b"}, overwrite=True)
    assert files(data) == {"b": "one"}
    (data / "a").hardlink_to(data / "b")
    await run(move, {"path": "b", "to": "./b"}, overwrite=True)
    assert files(data) == {"a": "one", "b": "one"}
