"""No path leads out of the folders that the operator allows, and the refusal says how it would be allowed."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import flownodes_files.opening
import pytest
from flownodes_files.copy import copy
from flownodes_files.delete import delete
from flownodes_files.list import list_files
from flownodes_files.move import move
from flownodes_files.opening import open_to_read
from flownodes_files.read import read
from flownodes_files.roots import Place, allowed_roots
from flownodes_files.write import write
from flowruntime.authoring import FatalNodeError, NodeError
from flowruntime.pack_settings import settings_replaced
from flowruntime.runtime import Runtime
from flowruntime.testing import NodeHarness

Run: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that is not allowed, with links to it from the one that is."""
    folder = tmp_path / "database"  # the name begins with that of the allowed one
    folder.mkdir()
    (folder / "secret").write_text("canary")
    (tmp_path / "data" / "to_file").symlink_to(folder / "secret")
    (tmp_path / "data" / "to_folder").symlink_to("../database")
    (tmp_path / "data" / "to_new").symlink_to(folder / "new")
    (tmp_path / "data" / "inner").mkdir()
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


ESCAPES = [
    "../database/secret",
    "inner/../../database/secret",
    "{outside}/secret",
    "{data}/../database/secret",
    "to_file",
    "to_folder/secret",
    "to_folder/../database/secret",
    "/etc/passwd",
    "..",
    "/",
]


@pytest.mark.parametrize("path", ESCAPES)
async def test_nothing_outside_is_read_or_listed(run: Run, data: Path, outside: Path, path: str) -> None:
    written = path.format(data=data, outside=outside)
    for node in (read, list_files):
        with pytest.raises(FatalNodeError) as raised:
            await run(node, {"path": written})
        assert raised.value.code == "files.outside"


@pytest.mark.parametrize("path", [path for path in ESCAPES if "secret" in path or path == "to_file"])
async def test_the_same_paths_are_read_where_the_folder_above_is_allowed(
    node_harness: NodeHarness, data: Path, outside: Path, path: str
) -> None:
    settings = {"roots": [str(data), str(data.parent)]}
    written = path.format(data=data, outside=outside)
    assert (await node_harness.run(read, {"path": written}, settings=settings)).outputs["content"] == "canary"


@pytest.mark.parametrize("path", ["../database/secret", "{outside}/secret", "to_file", "to_folder/x", "to_new"])
async def test_nothing_outside_is_written(run: Run, data: Path, outside: Path, path: str) -> None:
    (data / "mine").write_text("mine")
    written = path.format(outside=outside)
    for node, inputs in [
        (write, {"path": written, "content": "x"}),
        (copy, {"path": "mine", "to": written}),
        (move, {"path": "mine", "to": written}),
    ]:
        with pytest.raises(FatalNodeError) as raised:
            await run(node, inputs)
        assert raised.value.code == "files.outside"
    assert contents(outside) == {"secret": "canary"}


async def test_nothing_outside_is_deleted_moved_or_copied_from(run: Run, data: Path, outside: Path) -> None:
    for node, inputs in [
        (delete, {"path": "to_folder/secret"}),
        (move, {"path": "to_folder/secret", "to": "mine"}),
        (copy, {"path": "to_file", "to": "mine"}),
    ]:
        with pytest.raises(FatalNodeError) as raised:
            await run(node, inputs)
        assert raised.value.code == "files.outside"
    assert (outside / "secret").exists()
    assert not (data / "mine").exists()


async def test_a_link_that_is_deleted_or_moved_is_the_link_itself(run: Run, data: Path, outside: Path) -> None:
    assert (await run(delete, {"path": "to_file"}))["deleted"]
    await run(move, {"path": "to_folder", "to": "moved"})
    assert (outside / "secret").read_text() == "canary"
    assert (data / "moved").is_symlink()
    assert not (data / "to_file").is_symlink()


async def test_links_inside_lead_where_they_say(run: Run, data: Path) -> None:
    (data / "real").mkdir()
    (data / "real" / "a.txt").write_text("inside")
    (data / "linked").symlink_to("real")
    (data / "absolute").symlink_to(data / "real" / "a.txt")
    assert (await run(read, {"path": "linked/a.txt"}))["path"] == str(data / "real/a.txt")
    assert (await run(read, {"path": "absolute"}))["content"] == "inside"
    await run(write, {"path": "absolute", "content": "new"})
    assert (data / "absolute").is_symlink()
    assert (data / "real" / "a.txt").read_text() == "new"


async def test_what_is_written_outside_is_not_even_looked_at(run: Run, data: Path, outside: Path) -> None:
    (data / "a").write_text("inside")
    (outside / "back").symlink_to(data / "a")
    for path in (f"{outside}/back", "../database/back", f"{outside}/nothing"):
        with pytest.raises(FatalNodeError) as raised:
            await run(read, {"path": path})
        assert raised.value.code == "files.outside"


async def test_a_root_may_be_a_link_and_be_named_either_way(node_harness: NodeHarness, data: Path) -> None:
    (data / "a").write_text("inside")
    root = data.parent / "alias"
    root.symlink_to(data)
    settings = {"roots": [str(root)]}
    for path in ("a", f"{root}/a", f"{data}/a"):
        assert (await node_harness.run(read, {"path": path}, settings=settings)).outputs["content"] == "inside"


async def test_hard_links_are_files_like_any_other(run: Run, data: Path, outside: Path) -> None:
    (data / "hard").hardlink_to(outside / "secret")  # who makes one could read the file anyway
    assert (await run(read, {"path": "hard"}))["content"] == "canary"


@pytest.mark.parametrize(
    "path", ["/proc/self/environ", "/dev/zero", "/dev/stdin", "/sys/kernel/vmcoreinfo", "/dev/../proc/1/mem"]
)
async def test_devices_and_what_the_kernel_shows_are_no_files_whatever_is_allowed(
    node_harness: NodeHarness, path: str
) -> None:
    for node, inputs in [(read, {"path": path}), (write, {"path": path, "content": "x"})]:
        with pytest.raises(FatalNodeError) as raised:
            await node_harness.run(node, inputs, settings={"roots": ["/"]})
        assert raised.value.code == "files.not_a_file"


async def test_the_refusal_names_the_line_that_would_allow_it(run: Run, data: Path, outside: Path) -> None:
    with pytest.raises(FatalNodeError) as raised:
        await run(read, {"path": "to_file"})
    assert str(raised.value) == (
        f"The path 'to_file', which leads to '{outside}/secret', is outside of the folders that nodes may use: "
        f"'{data}'. If it should be allowed, the operator writes into flow.toml, under [files]: "
        f'roots = ["{data}", "{outside}"]'
    )


# --- races ------------------------------------------------------------------------------------------


def place_of(data: Path, path: str) -> Place:
    with settings_replaced({"files": {"roots": [str(data)]}}):
        return allowed_roots().locate(path)


def read_at(place: Place) -> bytes:
    with open_to_read(place) as (reader, _):
        return reader.read()


def test_a_file_that_becomes_a_link_after_it_was_checked_is_not_followed(data: Path, outside: Path) -> None:
    (data / "a").write_text("inside")
    place = place_of(data, "a")
    assert read_at(place) == b"inside"
    (data / "a").unlink()
    (data / "a").symlink_to(outside / "secret")
    with pytest.raises(NodeError):
        read_at(place)
    assert Path(place.real).read_text() == "canary"  # the control: opening it by its path would


def test_a_file_that_becomes_a_link_between_the_last_look_and_the_opening_is_not_followed(
    data: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "a").write_text("inside")
    place = place_of(data, "a")
    look = flownodes_files.opening.require_file

    def swap(info: os.stat_result, place: Place) -> None:
        look(info, place)
        if not (data / "a").is_symlink():
            (data / "a").unlink()
            (data / "a").symlink_to(outside / "secret")

    monkeypatch.setattr(flownodes_files.opening, "require_file", swap)
    with pytest.raises(NodeError) as raised:
        read_at(place)
    assert raised.value.code == "files.link"


def test_a_folder_that_becomes_a_link_after_it_was_checked_is_not_followed(data: Path, outside: Path) -> None:
    (data / "inner" / "secret").write_text("inside")
    place = place_of(data, "inner/secret")
    (data / "inner").rename(data / "was_inner")
    (data / "inner").symlink_to(outside)
    with pytest.raises(NodeError):
        read_at(place)
    assert Path(place.real).read_text() == "canary"  # the control


def test_a_file_that_becomes_a_pipe_between_the_last_look_and_the_opening_does_not_block(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "a").write_text("inside")
    place = place_of(data, "a")
    look = flownodes_files.opening.require_file

    def swap(info: os.stat_result, place: Place) -> None:
        look(info, place)
        (data / "a").unlink()
        os.mkfifo(data / "a")

    monkeypatch.setattr(flownodes_files.opening, "require_file", swap)
    with pytest.raises(NodeError) as raised:
        read_at(place)
    assert raised.value.code == "files.not_a_file"


# --- what the operator says -------------------------------------------------------------------------

READ = {"name": "read", "nodes": [{"id": "read", "node_type": "files.read", "inputs": {"path": "a.txt"}}]}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, with a home of its own."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FLOW_HOME", str(tmp_path / "home"))
    return folder


async def content_read(**options: Any) -> Any:
    async with Runtime(**options) as runtime:
        result = await runtime.run(READ)
    return result.outputs["read"]["content"] if result.error is None else result.error


async def test_unless_said_otherwise_it_is_the_working_directory(here: Path) -> None:
    (here / "a.txt").write_text("mine")
    assert await content_read() == "mine"


async def test_where_workflows_of_others_run_nothing_is_allowed_until_it_is_said(here: Path) -> None:
    (here / "a.txt").write_text("mine")
    error = await content_read(net="public")
    assert error["code"] == "files.outside"
    assert error["remedy"].endswith('flow.toml, under [files]: roots = ["/path/of/a/folder"]')
    (here / "flow.toml").write_text("[files]\nroots = ['.']\n")
    assert await content_read(net="public") == "mine"


async def test_roots_are_relative_to_their_file_and_may_begin_at_home(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(here))
    for said in ("docs", "~/docs", str(here / "docs")):
        (here / "flow.toml").write_text(f"[files]\nroots = ['{said}']\n")
        (here / "docs" / "below").mkdir(parents=True, exist_ok=True)
        (here / "docs" / "a.txt").write_text(said)
        monkeypatch.chdir(here / "docs" / "below")
        assert await content_read() == said
        monkeypatch.chdir(here)


async def test_no_folder_at_all_can_be_said(here: Path) -> None:
    (here / "flow.toml").write_text("[files]\nroots = []\n")
    (here / "a.txt").write_text("mine")
    assert (await content_read())["code"] == "files.outside"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[files]\nroots = '/data'\n", "Expected `array"),
        ("[files]\nroot = ['/data']\n", "unknown field `root`"),
        ("files = 3\n", "Expected `object`"),
    ],
)
async def test_settings_that_cannot_be_understood_are_never_half_obeyed(here: Path, text: str, said: str) -> None:
    (here / "flow.toml").write_text(text)
    error = await content_read()
    assert error["code"] == "settings.malformed"
    assert said in error["message"]
    assert str(here / "flow.toml") in error["message"]
