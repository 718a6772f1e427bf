"""A Blob made of a stream holds what was written, in memory or in a file that goes away with it."""

import gc
import hashlib
import io
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from flowcore.values import Blob
from flowruntime.blobs import MAX_BLOB_BYTES, MEMORY_BYTES, BlobStorageError, BlobTooLargeError, BlobWriter


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


def from_file(path: Path, max_bytes: int = MAX_BLOB_BYTES) -> Blob:
    with BlobWriter(media_type="video/mp4", max_bytes=max_bytes) as writer, path.open("rb") as file:
        writer.copy_from(file)
        return writer.finish()


def test_files_become_blobs_and_blobs_files_without_being_held_in_memory(folder: Path) -> None:
    source, target = folder / "source", folder / "target"
    part = bytes(range(256)) * 4096
    with source.open("wb") as file:
        for _ in range(20):
            file.write(part)
    tracemalloc.start()
    try:
        blob = from_file(source)
        with target.open("wb") as file:
            blob.copy_to(file)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        blob.read()  # the control
        assert tracemalloc.get_traced_memory()[1] > 20_000_000
    finally:
        tracemalloc.stop()
    assert (blob.size, blob.media_type) == (20 * len(part), "video/mp4")
    assert blob.sha256 == hashlib.sha256(part * 20).hexdigest() == hashlib.sha256(target.read_bytes()).hexdigest()


def test_a_blob_does_not_change_with_the_file_that_it_was_made_of(tmp_path: Path) -> None:
    for size in (100, 1_000_000):
        source = tmp_path / "source"
        source.write_bytes(b"a" * size)
        blob = from_file(source)
        source.write_bytes(b"b" * size)
        assert blob.read() == b"a" * size


def test_a_file_above_the_limit_is_refused(folder: Path) -> None:
    source = folder / "source"
    source.write_bytes(bytes(1_000_001))
    with pytest.raises(BlobTooLargeError, match="1,000,000 bytes"):
        from_file(source, max_bytes=1_000_000)
    assert list(folder.iterdir()) == [source]


@pytest.mark.parametrize("content", [b"", b"012", b"0123456789" * 30_000 + b"more"])
def test_a_blob_whose_bytes_are_not_all_there_is_not_passed_on_in_silence(folder: Path, content: bytes) -> None:
    blob = large_writer(folder).finish()
    [file] = folder.iterdir()
    file.write_bytes(content)
    target = io.BytesIO()
    with pytest.raises(ValueError, match=f"has {len(content)} bytes in place of 300000"):
        blob.copy_to(target)
    assert len(target.getvalue()) <= blob.size


def test_a_blob_that_is_elsewhere_cannot_be_copied() -> None:
    with pytest.raises(ValueError, match="not available in this process"):
        Blob(sha256="0" * 64, size=1).copy_to(io.BytesIO())


def test_a_folder_for_temporary_files_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with BlobWriter() as writer:
        writer.write(bytes(MEMORY_BYTES))
        with pytest.raises(BlobStorageError, match="No such file") as raised:
            writer.write(b"1")
    assert (raised.value.code, raised.value.retryable) == ("blob.storage", True)
    assert "TMPDIR" in raised.value.remedy


def test_a_disk_that_takes_no_more_is_told_and_nothing_stays_behind(tmp_path: Path) -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))\n"
        "from flowruntime.blobs import BlobStorageError, BlobWriter\n"
        "try:\n"
        "    with BlobWriter() as writer:\n"
        "        for _ in range(1000):\n"
        "            writer.write(bytes(1000))\n"
        "        writer.finish()\n"
        "except BlobStorageError as error:\n"
        "    print(error.message)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={"TMPDIR": str(tmp_path)}
    )
    assert ended.stdout == "The temporary file for the content cannot be written: File too large.\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [1, MEMORY_BYTES + 1])
def test_nothing_can_be_added_to_a_finished_blob(size: int) -> None:
    with BlobWriter() as writer:
        writer.write(b"x" * size)
        blob = writer.finish()
        with pytest.raises(ValueError, match="make another one"):
            writer.write(b"y")
        with pytest.raises(ValueError, match="make another one"):
            writer.finish()
    assert blob.read() == b"x" * size
