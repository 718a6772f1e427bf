"""Files are copied, moved and deleted, each in one step."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from flownodes_files.copy import copy
from flownodes_files.delete import delete
from flownodes_files.move import move
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
