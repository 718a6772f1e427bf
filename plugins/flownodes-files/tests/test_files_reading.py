"""`files.read` gives what is in a file, or says what is wrong with it."""

import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import flownodes_files.read
import pytest
from flownodes_files.opening import open_to_read
from flownodes_files.read import MAX_TEXT_BYTES, read
from flownodes_files.roots import Place
from flowruntime.authoring import Blob, FatalNodeError, NodeError, RetryableNodeError
from flowruntime.testing import NodeHarness

Run: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]


async def test_a_text_comes_with_its_place_size_and_media_type(run: Run, data: Path) -> None:
    (data / "note.md").write_bytes(b"caf\xc3\xa9\r\n")
    assert await run(read, {"path": "note.md"}) == {
        "content": "café\r\n",
        "path": str(data / "note.md"),
        "size": 7,
        "media_type": "text/markdown",
    }


async def test_json_is_read_strictly(run: Run, data: Path) -> None:
    (data / "good.json").write_text('{"a": [1, null]}')
    (data / "bad.json").write_text('{"a": NaN}')
    assert (await run(read, {"path": "good.json"}, **{"as": "json"}))["content"] == {"a": [1, None]}
    with pytest.raises(FatalNodeError, match=r"'bad.json' is not JSON at /a: NaN is not JSON") as raised:
        await run(read, {"path": "bad.json"}, **{"as": "json"})
    assert raised.value.code == "files.json"


async def test_a_blob_carries_the_bytes_and_the_media_type(run: Run, data: Path) -> None:
    content = os.urandom(700_000)
    (data / "photo.png").write_bytes(content)
    outputs = await run(read, {"path": "photo.png"}, **{"as": "blob"})
    blob = outputs["content"]
    assert isinstance(blob, Blob)
    assert (blob.read(), blob.media_type, outputs["size"]) == (content, "image/png", 700_000)


async def test_an_encoding_can_be_said_and_a_mark_is_not_handed_on(run: Run, data: Path) -> None:
    (data / "old.txt").write_bytes("Müller".encode("windows-1252"))
    (data / "wide.txt").write_text("weit", encoding="utf-16")
    (data / "marked.txt").write_text("mark", encoding="utf-8-sig")
    assert (await run(read, {"path": "old.txt"}, encoding="windows-1252"))["content"] == "Müller"
    assert (await run(read, {"path": "wide.txt"}, encoding="utf-16"))["content"] == "weit"
    assert (await run(read, {"path": "marked.txt"}))["content"] == "mark"


@pytest.mark.parametrize(
    ("content", "encoding", "code", "said"),
    [
        (b"abc\xff", "utf-8", "files.encoding", "at byte 3 is something else"),
        (b"ab\0c", "utf-8", "files.nul", "a NUL, as character 2"),
        (b"a", "klingon", "files.encoding_unknown", "There is no encoding 'klingon'"),
        (b"a", "rot13", "files.encoding_unknown", "There is no encoding 'rot13'"),
        (b"\\ud800", "unicode_escape", "files.encoding_unknown", "There is no encoding 'unicode_escape'"),
        (b"\\ud800", "raw-unicode-escape", "files.encoding_unknown", "There is no encoding"),
    ],
)
async def test_what_is_no_text_is_told_with_its_place(
    run: Run, data: Path, *, content: bytes, encoding: str, code: str, said: str
) -> None:
    (data / "odd").write_bytes(content)
    with pytest.raises(FatalNodeError, match=said) as raised:
        await run(read, {"path": "odd"}, encoding=encoding)
    assert raised.value.code == code


async def test_what_is_too_large_names_the_limit_before_it_is_read(run: Run, data: Path) -> None:
    with (data / "large").open("wb") as file:
        file.truncate(MAX_TEXT_BYTES + 1)
    with pytest.raises(FatalNodeError, match="limit of 16,777,216 bytes") as raised:
        await run(read, {"path": "large"})
    assert raised.value.code == "files.too_large"
    os.truncate(data / "large", 64 * 1024 * 1024 + 1)
    with pytest.raises(FatalNodeError, match="limit of 67,108,864 bytes for Blobs"):
        await run(read, {"path": "large"}, **{"as": "blob"})


async def test_a_file_that_grows_beyond_the_limit_meanwhile_is_not_swallowed(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "grows").write_bytes(b"x" * 11)
    monkeypatch.setattr(flownodes_files.read, "MAX_TEXT_BYTES", 10)
    with pytest.raises(FatalNodeError, match="limit of 10 bytes"):
        await run(read, {"path": "grows"})


def test_a_file_that_is_written_to_while_it_is_read_may_be_tried_again(data: Path) -> None:
    (data / "busy.txt").write_bytes(b"one")
    place = Place(path="busy.txt", root=str(data), parts=("busy.txt",))

    def read_while_somebody_writes() -> None:
        with open_to_read(place) as (reader, _), (data / "busy.txt").open("ab") as other:
            assert reader.read() == b"one"
            other.write(b" two")
            other.flush()

    with pytest.raises(RetryableNodeError) as raised:
        read_while_somebody_writes()
    assert raised.value.code == "files.changed"
    with open_to_read(place) as (reader, _):  # the control: nobody writes
        assert reader.read() == b"one two"


@pytest.mark.parametrize("kind", ["folder", "fifo", "socket", "missing", "broken", "loop", "through", "nul", "long"])
async def test_what_is_no_file_fails_at_once_with_a_code(
    run: Run, data: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "folder").mkdir()
    (data / "file").touch()
    (data / "broken").symlink_to("nothing")
    (data / "loop").symlink_to("loop")
    os.mkfifo(data / "fifo")
    monkeypatch.chdir(data)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("socket")
        path = {"through": "file/inner", "nul": "a\0b", "long": "n" * 300}.get(kind, kind)
        with pytest.raises(NodeError) as raised:
            await run(read, {"path": path})
    assert (
        raised.value.code
        == {
            "folder": "files.is_folder",
            "fifo": "files.not_a_file",
            "socket": "files.not_a_file",
            "missing": "files.not_found",
            "broken": "files.not_found",
            "loop": "files.link",
            "through": "files.not_a_folder",
            "nul": "files.path",
            "long": "files.path",
        }[kind]
    )
    assert raised.value.remedy


async def test_a_missing_file_may_come_and_a_retry_finds_it(node_harness: NodeHarness, data: Path) -> None:
    settings = {"roots": [str(data)]}
    with pytest.raises(RetryableNodeError, match=r"'later.txt' does not exist"):
        await node_harness.run(read, {"path": "later.txt"}, settings=settings)


async def test_names_with_odd_characters_are_read(run: Run, data: Path) -> None:
    for name in [" ", "-rf", "naïve ☃.txt", "a\nb", "*?[", "~"]:
        (data / name).write_text(name)
        assert (await run(read, {"path": name}))["content"] == name
