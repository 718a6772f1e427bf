"""`files.write` leaves the old file or the new one, and never a part."""

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from flownodes_files.roots import Place
from flownodes_files.saving import Mode, save
from flownodes_files.write import write
from flowruntime.authoring import Blob, FatalNodeError, NodeError, RetryableNodeError
from flowruntime.testing import NodeHarness

from tests.faults.small_disks import small_disk

Run: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".flow-")]


async def test_texts_json_and_blobs_are_written(run: Run, data: Path) -> None:
    wrote = await run(write, {"path": "a.txt", "content": "café"})
    assert wrote == {"path": str(data / "a.txt"), "size": 5}
    await run(write, {"path": "b.json", "content": {"b": [1]}})
    await run(write, {"path": "c.json", "content": {"c": 1}}, indent=2)
    await run(write, {"path": "d.bin", "content": Blob.from_bytes(b"\0\1")})
    await run(write, {"path": "e.json", "content": "text"}, format="json")
    await run(write, {"path": "f.txt", "content": "Müller"}, encoding="latin-1")
    assert contents(data) == [
        b"caf\xc3\xa9",
        b'{"b":[1]}\n',
        b'{\n  "c": 1\n}\n',
        b"\0\1",
        b'"text"\n',
        b"M\xfcller",
    ]


async def test_overwriting_keeps_the_permissions_and_readers_keep_what_they_opened(run: Run, data: Path) -> None:
    file = data / "a.sh"
    file.write_text("old")
    file.chmod(0o750)
    with file.open() as reader:
        await run(write, {"path": "a.sh", "content": "new"})
        assert reader.read() == "old"
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o750


async def test_create_refuses_what_is_there(run: Run, data: Path) -> None:
    await run(write, {"path": "a", "content": "one"}, mode="create")
    with pytest.raises(FatalNodeError) as raised:
        await run(write, {"path": "a", "content": "two"}, mode="create")
    assert raised.value.code == "files.exists"
    assert (data / "a").read_text() == "one"
    assert leftovers(data) == []


async def test_append_adds_to_the_end(run: Run, data: Path) -> None:
    await run(write, {"path": "log", "content": "one\n"}, mode="append")
    wrote = await run(write, {"path": "log", "content": "two\n"}, mode="append")
    assert (data / "log").read_text() == "one\ntwo\n"
    assert wrote["size"] == 8
    for text in ("ü", "ß"):
        await run(write, {"path": "wide", "content": text}, mode="append", encoding="utf-16")
    assert (data / "wide").read_text(encoding="utf-16") == "üß"


async def test_folders_are_made_when_asked_for(run: Run, data: Path) -> None:
    with pytest.raises(FatalNodeError) as raised:
        await run(write, {"path": "new/deep/a", "content": ""})
    assert raised.value.code == "files.no_folder"
    assert not (data / "new").exists()
    await run(write, {"path": "new/deep/a", "content": ""}, make_folders=True)
    assert (data / "new/deep/a").exists()


@pytest.mark.parametrize(
    ("path", "code"),
    [("folder", "files.is_folder"), (".", "files.is_folder"), ("fifo", "files.not_a_file"), ("n" * 300, "files.path")],
)
@pytest.mark.parametrize("mode", ["create", "overwrite", "append"])
async def test_only_files_are_written(run: Run, data: Path, path: str, code: str, mode: Mode) -> None:
    (data / "folder").mkdir()
    os.mkfifo(data / "fifo")
    with pytest.raises(NodeError) as raised:
        await run(write, {"path": path, "content": "x"}, mode=mode)
    if mode != "create" or raised.value.code != "files.exists":
        assert raised.value.code == code
    assert leftovers(data) == []


async def test_what_cannot_be_written_is_told_and_leaves_the_old_file(run: Run, data: Path) -> None:
    (data / "a").write_text("old")
    lost = Blob(sha256="0" * 64, size=3)
    for content, config, code in [
        ({"a": 1}, {"format": "text"}, "files.content"),
        ("☃", {"encoding": "latin-1"}, "files.encoding"),
        (lost, {}, "files.content"),
    ]:
        with pytest.raises(FatalNodeError) as raised:
            await run(write, {"path": "a", "content": content}, **config)
        assert raised.value.code == code
    assert (data / "a").read_text() == "old"
    assert leftovers(data) == []


async def test_no_workflow_changes_the_settings(run: Run, data: Path) -> None:
    (data / "link").symlink_to("flow.toml")
    for path in ("flow.toml", "FLOW.TOML", "./link"):
        with pytest.raises(FatalNodeError) as raised:
            await run(write, {"path": path, "content": "[files]\nroots = ['/']\n"})
        assert raised.value.code == "files.protected"


def test_a_failed_append_takes_back_what_it_has_written(data: Path) -> None:
    (data / "log").write_bytes(b"old")
    script = """
import resource, sys
from flownodes_files.write import write
from flowruntime.testing import NodeHarness
import anyio
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
async def main():
    try:
        await NodeHarness().run(
            write, {"path": "log", "content": "x" * 200_000}, {"mode": sys.argv[2]}, settings={"roots": [sys.argv[1]]}
        )
    except Exception as error:
        print(error.code)
anyio.run(main)
"""
    for mode in ("append", "overwrite"):
        ended = subprocess.run(
            [sys.executable, "-c", script, data, mode], capture_output=True, text=True, check=False, cwd=data
        )
        assert ended.stdout == "files.disk_full\n", ended.stderr
        assert (data / "log").read_bytes() == b"old"
        assert leftovers(data) == []


def test_a_failed_append_leaves_what_others_have_added_meanwhile(data: Path) -> None:
    (data / "a").write_text("old\n")
    ctx: Any = _Attempt(1)

    def content(_: bytes) -> Iterator[bytes]:
        yield b"mine\n"
        with (data / "a").open("a") as other:  # a program that knows of no turns
            other.write("theirs\n")
        ctx.cancelled = True
        yield b"more\n"

    with pytest.raises(NodeError):
        save(ctx, Place(path="a", root=str(data), parts=("a",)), content, mode="append")
    assert (data / "a").read_text() == "old\nmine\ntheirs\n"


class _Attempt:
    """What `save` needs to know of an attempt."""

    idempotency_key = "0123456789abcdef0123456789abcdef"

    def __init__(self, attempt: int, *, cancelled: bool = False) -> None:
        self.attempt = attempt
        self.cancelled = cancelled


def save_text(folder: Path, text: str, mode: Mode, attempt: int, *, cancelled: bool = False) -> int:
    ctx: Any = _Attempt(attempt, cancelled=cancelled)
    place = Place(path="a", root=str(folder), parts=("a",))
    return save(ctx, place, lambda _: [text.encode()], mode=mode)


def test_a_second_attempt_to_create_takes_its_own_file_for_its_own(data: Path) -> None:
    save_text(data, "mine", "create", 1)
    assert save_text(data, "mine", "create", 2) == 4
    with pytest.raises(FatalNodeError):  # the control: the file of somebody else
        save_text(data, "other", "create", 2)
    assert (data / "a").read_text() == "mine"
    assert leftovers(data) == []


def test_an_attempt_that_was_given_up_does_not_replace_what_a_later_one_wrote(data: Path) -> None:
    first: Any = _Attempt(1)
    place = Place(path="a", root=str(data), parts=("a",))

    def slow(_: bytes) -> Iterator[bytes]:
        yield b"old"
        save_text(data, "new", "overwrite", 2)
        yield b"er"

    with pytest.raises(NodeError):
        save(first, place, slow, mode="overwrite")
    assert (data / "a").read_text() == "new"
    assert leftovers(data) == []


@pytest.mark.parametrize("mode", ["create", "overwrite", "append"])
def test_a_cancelled_attempt_writes_nothing(data: Path, mode: Mode) -> None:
    with pytest.raises(FatalNodeError):
        save_text(data, "late", mode, 1, cancelled=True)
    assert [path.read_text() for path in data.iterdir()] in ([], [""])


def test_an_attempt_that_is_cancelled_at_its_very_end_writes_nothing(data: Path) -> None:
    ctx: Any = _Attempt(1)

    def content(_: bytes) -> Iterator[bytes]:
        yield b"late"
        ctx.cancelled = True

    with pytest.raises(FatalNodeError):
        save(ctx, Place(path="a", root=str(data), parts=("a",)), content, mode="overwrite")
    assert contents(data) == []


def test_nodes_that_append_to_one_file_take_turns(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    is_waiting = threading.Event()
    monkeypatch.setattr("time.sleep", lambda _: is_waiting.set())
    other = threading.Thread(target=save_text, args=(data, "other", "append", 1))
    ctx: Any = _Attempt(1)

    def content(_: bytes) -> Iterator[bytes]:
        yield b"one "
        other.start()
        assert is_waiting.wait(60)
        yield b"after the "

    save(ctx, Place(path="a", root=str(data), parts=("a",)), content, mode="append")
    other.join()
    assert (data / "a").read_text() == "one after the other"


KILLED = """
import os, sys, time
from flownodes_files.roots import Place
from flownodes_files.saving import save

class Attempt:
    idempotency_key = "0123456789abcdef0123456789abcdef"
    attempt = 1
    cancelled = False

def parts(_):
    for number in range(1_000_000):
        yield b"new " * 10_000
        if number == 20:
            print("writing", flush=True)
            time.sleep(600)

place = Place(path="a", root=sys.argv[1], parts=("a",))
save(Attempt(), place, parts, mode="overwrite")
"""


def test_killed_while_it_writes_the_old_file_is_there_and_the_next_attempt_tidies_up(data: Path) -> None:
    (data / "a").write_text("old")
    with subprocess.Popen([sys.executable, "-c", KILLED, data], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)
    assert (data / "a").read_text() == "old"
    assert len(leftovers(data)) == 1  # the control: it was busy writing
    save_text(data, "new", "overwrite", 2)
    assert (data / "a").read_text() == "new"
    assert leftovers(data) == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 64 KiB."""
    with small_disk(tmp_path / "small", kib=64) as folder:
        yield folder


@pytest.mark.parametrize("mode", ["overwrite", "append"])
async def test_a_full_disk_may_be_tried_again(small: Path, node_harness: NodeHarness, mode: Mode) -> None:
    (small / "a").write_text("old")
    content = "x" * 200_000
    with pytest.raises(RetryableNodeError) as raised:
        await node_harness.run(
            write, {"path": "a", "content": content}, {"mode": mode}, settings={"roots": [str(small)]}
        )
    assert raised.value.code == "files.disk_full"
    assert (small / "a").read_text() == "old"
    assert leftovers(small) == []


@pytest.fixture
def somebody() -> Iterator[None]:
    """Root may do everything, so the test is somebody else then."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.mark.parametrize("mode", ["create", "overwrite", "append"])
def test_missing_permission_is_told(data: Path, somebody: None, mode: Mode) -> None:
    if os.access(data, os.W_OK, effective_ids=True):
        data.chmod(0o500)
    with pytest.raises(FatalNodeError) as raised:
        save_text(data, "x", mode, 1)
    assert raised.value.code == "files.permission"
