"""Large values and the content of Blobs are kept once, by their content."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from flowcore.contracts import Change
from flowcore.errors import StoreError
from flowcore.values import Blob
from flowruntime.blobs import BlobWriter
from flowruntime.testing.stores.samples import ONE, TWO, WORKFLOW, append, carrying, create, first

from core.flowruntime.tests.stores.keeping import opened


def contents(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        (count,) = connection.execute("SELECT count(*) FROM contents").fetchone()
    finally:
        connection.close()
    return int(count)


def test_a_large_value_that_passes_through_a_hundred_nodes_is_one_row(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    value = [{"number": number, "text": "x" * 100} for number in range(10_000)]
    with opened(path) as store:
        create(store, ONE)
        append(store, ONE, *[carrying(seq, value) for seq in range(2, 52)])
        for seq in range(52, 102):
            append(store, ONE, carrying(seq, value))
        kept = store.read(ONE).events
        assert kept[1:] == [carrying(seq, value) for seq in range(2, 102)]
        # One object when it is read, too.
        assert kept[1].outputs["result"] is kept[100].outputs["result"]  # type: ignore[union-attr]
    assert contents(path) == 1
    assert path.stat().st_size < 2_000_000


def test_values_just_below_the_limit_stay_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with opened(path, inline_bytes=1_000) as store:
        create(store, ONE)
        append(store, ONE, carrying(2, "x" * 700))
        assert contents(path) == 0
        append(store, ONE, carrying(3, "x" * 1_100))
        assert contents(path) == 1
        assert list(store.read(ONE).events) == [first(), carrying(2, "x" * 700), carrying(3, "x" * 1_100)]


def test_the_same_content_of_two_executions_is_one_row(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store:
        for execution_id in (ONE, TWO):
            create(store, execution_id)
            append(store, execution_id, carrying(2, "x" * 300_000), carrying(3, Blob.from_bytes(b"y" * 10)))
    assert contents(path) == 2


def test_the_content_of_a_blob_in_a_file_is_kept_when_the_file_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with BlobWriter(media_type="text/plain") as writer:
        for number in range(100):
            writer.write(b"%6d" % number * 1_000)
        blob = writer.finish()
    whole = blob.read()
    with opened(path) as store:
        create(store, ONE)
        append(store, ONE, carrying(2, blob))
        del blob
        kept = store.read(ONE).events[1].outputs["result"]  # type: ignore[union-attr]
        assert isinstance(kept, Blob)
        assert b"".join(kept.parts()) == whole
        with kept.open() as reader:
            assert (reader.read(6), reader.seek(-6, 2), reader.read()) == (whole[:6], len(whole) - 6, whole[-6:])


def test_a_blob_that_was_damaged_in_the_database_is_told_by_whoever_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store:
        create(store, ONE)
        append(store, ONE, carrying(2, Blob.from_bytes(bytes(300_000))))
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE contents SET data = CAST(zeroblob(299999) || x'01' AS BLOB)")
        connection.close()
        kept = store.read(ONE).events[1].outputs["result"]  # type: ignore[union-attr]
        for read in (kept.read, lambda: b"".join(kept.parts())):
            with pytest.raises(StoreError) as caught:
                read()
            assert caught.value.code == "store.corrupt"
        with kept.open() as reader:  # a part says nothing of the whole
            assert reader.read(6) == bytes(6)
        with sqlite3.connect(path) as connection:
            connection.execute("DELETE FROM contents")
        connection.close()
        with pytest.raises(StoreError) as caught:
            kept.read()
        assert caught.value.code == "store.corrupt"


def test_a_blob_whose_file_was_removed_is_refused_and_leaves_no_content(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with BlobWriter() as writer:
        writer.write(bytes(300_000))
        blob = writer.finish()
    Path(blob.source._path).unlink()  # type: ignore[union-attr]
    with opened(path) as store:
        create(store, ONE)
        with pytest.raises(StoreError) as caught:
            append(store, ONE, carrying(2, blob))
        assert caught.value.code == "store.blob_lost"
        assert list(store.read(ONE).events) == [first()]
    assert contents(path) == 0


def test_a_blob_whose_content_was_changed_is_refused_and_harms_nobody_with_the_same_content(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    content = bytes(300_000)
    with BlobWriter() as writer:
        writer.write(content)
        blob = writer.finish()
    Path(blob.source._path).write_bytes(b"x" + content[1:])  # type: ignore[union-attr]
    with opened(path) as store:
        create(store, ONE)
        with pytest.raises(StoreError) as caught:
            append(store, ONE, carrying(2, blob))
        assert caught.value.code == "store.blob_lost"
        assert contents(path) == 0
        append(store, ONE, carrying(2, Blob.from_bytes(content)))
        assert store.read(ONE).events[1].outputs["result"].read() == content  # type: ignore[union-attr]


def test_the_content_of_a_blob_in_a_database_that_is_locked_is_not_taken_for_missing(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with opened(path, busy_seconds=0) as store:
        create(store, ONE)
        append(store, ONE, carrying(2, Blob.from_bytes(b"x" * 1000)))
        blob = store.read(ONE).events[1].outputs["result"]  # type: ignore[union-attr]
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError) as caught:
        blob.open()
    connection.close()
    assert caught.value.code == "store.locked"
    assert str(path) in caught.value.message
    assert blob.read() == b"x" * 1000


def test_a_transaction_that_fails_is_not_taken_for_kept(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    beginning = first()._replace(inputs={"x": "x" * 300_000})
    with opened(path, busy_seconds=0) as store:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END")
        with pytest.raises(StoreError):
            store.commit([Change(ONE, [beginning], WORKFLOW)])
        assert contents(path) == 0
        connection.execute("DROP TRIGGER full")
        connection.close()
        store.commit([Change(ONE, [beginning], WORKFLOW)])
        assert list(store.read(ONE).events) == [beginning]


def test_text_that_is_no_unicode_does_not_hold_up_a_log(tmp_path: Path) -> None:
    with opened(tmp_path / "flow.db") as store:
        create(store, ONE)
        append(store, ONE, carrying(2, "a file named \udc80"))
        assert list(store.read(ONE).events) == [first(), carrying(2, "a file named ?")]
