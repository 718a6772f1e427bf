"""A Blob made of a stream holds what was written, in memory or in a file that goes away with it."""

import gc
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from flowruntime.blobs import MAX_BLOB_BYTES, MEMORY_BYTES, BlobTooLargeError, BlobWriter


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("size", [0, 1, MEMORY_BYTES, MEMORY_BYTES + 1, 5_000_000])
def test_a_blob_is_what_was_written_in_parts(folder: Path, size: int) -> None:
    content = bytes(i % 251 for i in range(size))
    with BlobWriter(media_type="image/png") as writer:
        for start in range(0, size, 70_000):
            writer.write(content[start : start + 70_000])
        blob = writer.finish()
    assert (blob.size, blob.media_type) == (size, "image/png")
    assert blob.sha256 == hashlib.sha256(content).hexdigest()
    assert blob.read() == content
    assert len(list(folder.iterdir())) == (size > MEMORY_BYTES)


def large_writer(folder: Path) -> BlobWriter:
    writer = BlobWriter()
    writer.write(b"0123456789" * 30_000)
    [file] = folder.iterdir()
    assert file.stat().st_mode & 0o077 == 0, "others could read it"
    return writer


def test_readers_are_independent_of_each_other(folder: Path) -> None:
    blob = large_writer(folder).finish()
    with blob.open() as one, blob.open() as two:
        assert one.read(5) == b"01234"
        assert two.read(3) == b"012"
        assert one.read(2) == b"56"


def test_the_file_goes_when_nothing_refers_to_it_and_open_readers_go_on(folder: Path) -> None:
    blob = large_writer(folder).finish()
    source = blob.source
    reader = blob.open()
    del blob
    gc.collect()
    assert len(list(folder.iterdir())) == 1, "the source is still in use"
    del source
    gc.collect()
    assert list(folder.iterdir()) == []
    with reader:
        assert len(reader.read()) == 300_000


def test_the_file_goes_when_the_interpreter_ends(tmp_path: Path) -> None:
    code = (
        "from flowruntime.blobs import BlobWriter; import os, sys\n"
        "w = BlobWriter(); w.write(bytes(300_000)); blob = w.finish()\n"
        f"print(len(os.listdir({str(tmp_path)!r})))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={"TMPDIR": str(tmp_path)},
    )
    assert (ended.stdout, ended.stderr) == ("1\n", "")
    assert list(tmp_path.iterdir()) == []


def test_content_that_is_not_finished_leaves_nothing_behind(folder: Path) -> None:
    def fail() -> None:
        with large_writer(folder):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(folder.iterdir()) == []


def test_content_above_the_limit_is_refused_and_content_up_to_it_taken() -> None:
    assert BlobWriter().max_bytes == MAX_BLOB_BYTES == 64 * 1024 * 1024
    with BlobWriter(max_bytes=10) as writer:
        writer.write(b"12345")
        with pytest.raises(BlobTooLargeError, match="10 bytes") as raised:
            writer.write(b"678901")
        assert raised.value.code == "blob.too_large"
        writer.write(b"67890")
        assert writer.finish().read() == b"1234567890"
