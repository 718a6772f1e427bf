"""The node types of the pack, each on the real engine."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from flowcore.errors import WorkflowInvalid
from flowcore.values import Blob
from flownodes_shelf.compress import compress
from flownodes_shelf.find import Find
from flownodes_shelf.isbn import isbn
from flownodes_shelf.pool import Pool
from flownodes_shelf.tables import table_readers
from flowruntime.authoring import BlobWriter, FatalNodeError
from flowruntime.testing import NodeHarness


@pytest.fixture
def database(tmp_path: Path) -> str:
    file = tmp_path / "shelf.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE books (title TEXT, year INTEGER)")
        connection.execute("INSERT INTO books VALUES ('The Sea', 2005), ('Emma', 1815), ('By the sea', 2001)")
    connection.close()
    return str(file)


async def test_an_isbn_loses_its_hyphens(node_harness: NodeHarness) -> None:
    assert (await node_harness.run(isbn, {"text": "978 0-306-40615-7"})).outputs == {"result": "9780306406157"}
    with pytest.raises(FatalNodeError) as raised:
        await node_harness.run(isbn, {"text": "978-0-306-40615-x"})
    assert raised.value.code == "shelf.isbn.wrong"


async def test_books_are_found_over_one_connection_that_is_kept(node_harness: NodeHarness, database: str) -> None:
    async with node_harness.open(Find, {"database": database}) as opened:
        for _ in range(3):
            ran = await opened.run({"title": "SEA"})
            assert [book["title"] for book in ran.outputs["books"]] == ["By the sea", "The Sea"]
        assert isinstance(opened.instance, Find)
        assert opened.instance.pool is not None
        assert opened.instance.pool.opened == 1


def test_a_connection_that_comes_back_after_the_end_is_closed(database: str) -> None:
    pool = Pool(database, 2)
    with pool.connection() as late:
        pool.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        late.execute("SELECT 1")


async def test_a_large_blob_is_compressed_in_parts(node_harness: NodeHarness) -> None:
    with BlobWriter(media_type="text/plain") as writer:
        for _ in range(100):
            writer.write(b"book " * 10_000)
        content = writer.finish()
    packed = (await node_harness.run(compress, {"content": content})).outputs["result"]
    assert isinstance(packed, Blob)
    assert packed.size < content.size / 100
    assert gzip.decompress(packed.read()) == content.read()
    with pytest.raises(WorkflowInvalid, match="level"):
        await node_harness.run(compress, {"content": content}, {"level": 10})


async def test_each_table_makes_a_node_type(
    node_harness: NodeHarness, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(table_readers()) == []
    monkeypatch.setenv("SHELF_DATABASE", database)
    with closing(sqlite3.connect(database)) as connection, connection:
        for name in ("böse", "with space", 'quo"te'):  # no part of an id of a node type
            connection.execute('CREATE TABLE "{}" (id INTEGER)'.format(name.replace('"', '""')))
        connection.execute("CREATE TABLE IF NOT EXISTS Loans (id INTEGER PRIMARY KEY AUTOINCREMENT)")
    connection.close()
    _loans, books = table_readers()
    ran = await node_harness.run(books, {}, {"limit": 1})
    assert ran.outputs == {"result": [{"title": "The Sea", "year": 2005}]}
