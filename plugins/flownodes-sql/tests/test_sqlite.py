"""`sql.query` and `sql.execute` with real SQLite files."""

import contextlib
import json
import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import pytest
from flowcore.errors import ExecutionError, FatalNodeError, NodeError, WorkflowInvalid
from flowcore.values import Blob
from flownodes_sql.execute import Execute
from flownodes_sql.query import Query
from flownodes_sql.transaction import Transaction
from flowruntime.testing import NodeHarness, NodeRun

INJECTIONS = ["'; DROP TABLE people; --", "1 OR 1=1", "' OR ''='", "\\'; DELETE FROM people", ":name", "%(name)s", "?"]


class Database:
    """One file, and the nodes that use it."""

    def __init__(self, harness: NodeHarness, file: Path) -> None:
        self.harness = harness
        self.file = file
        self.url = f"sqlite:///{quote(str(file))}"

    async def execute(self, statement: str, parameters: Any = None, **config: Any) -> NodeRun:
        config = {"url": self.url, "statement": statement, **config}
        return await self.harness.run(Execute, {"parameters": parameters}, config)

    async def query(self, statement: str, parameters: Any = None, **config: Any) -> NodeRun:
        config = {"url": self.url, "statement": statement, **config}
        return await self.harness.run(Query, {"parameters": parameters}, config)

    async def rows(self, statement: str, parameters: Any = None) -> Any:
        return (await self.query(statement, parameters)).outputs["rows"]

    async def failure(self, statement: str, parameters: Any = None, **config: Any) -> NodeError:
        with pytest.raises(NodeError) as raised:
            await self.query(statement, parameters, **config)
        return raised.value


@pytest.fixture
async def database(node_harness: NodeHarness, tmp_path: Path) -> Database:
    made = Database(node_harness, tmp_path / "größe %20#?.db")
    await made.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, more)")
    return made


async def test_what_is_inserted_is_found_again(database: Database) -> None:
    done = await database.execute("INSERT INTO people (name) VALUES (:name)", {"name": "Ada", "surplus": 1})
    assert done.outputs == {"row_count": 1, "rows": [], "last_id": 1}
    found = await database.query("SELECT id, name FROM people WHERE name = :name", {"name": "Ada"})
    assert found.outputs == {
        "rows": [{"id": 1, "name": "Ada"}],
        "row_count": 1,
        "columns": ["id", "name"],
        "truncated": False,
    }


@pytest.mark.parametrize("text", INJECTIONS)
async def test_a_value_is_never_part_of_the_statement(database: Database, text: str) -> None:
    await database.execute("INSERT INTO people (name) VALUES ('Grace'), (:name)", {"name": text})
    assert await database.rows("SELECT name FROM people WHERE name = :name", {"name": text}) == [{"name": text}]
    assert await database.rows("SELECT count(*) AS n FROM people") == [{"n": 2}]


@pytest.mark.parametrize("expression", ["${{ inputs.parameters.name }}", "${{ vars.name }}", "${{ secrets.NAME }}"])
@pytest.mark.parametrize("node", [Query, Execute])
async def test_an_expression_in_the_statement_is_refused_before_anything_runs(
    node_harness: NodeHarness, node: Any, expression: str
) -> None:
    config = {"url": "sqlite://", "statement": "SELECT * FROM people WHERE name = 'X'".replace("X", expression)}
    with pytest.raises(WorkflowInvalid) as raised:
        await node_harness.run(node, {}, config, secrets={"NAME": "Zsecret"})
    problem = next(problem for problem in raised.value.problems if problem.code == "config.constant")
    assert problem.pointer.endswith("/config/statement")
    assert "Write :name in the statement" in problem.remedy


async def test_values_of_all_kinds_come_back_exactly(database: Database) -> None:
    values = {
        "big": 2**63 - 1,
        "small": -(2**63),
        "float": 0.1,
        "null": None,
        "text": "Ünïcödé 🚀 \x00",
        "yes": True,
        "bytes": Blob.from_bytes(b"\x00\xff"),
        "list": [1, {"a": "ä"}],
        "date": "2026-02-28T12:00:00+02:00",
    }
    columns = ", ".join(f':{name} AS "{name}"' for name in values)
    (row,) = await database.rows(f"SELECT {columns}", values)
    assert row == {**values, "yes": 1, "list": '[1,{"a":"ä"}]'}
    assert type(row["bytes"]) is Blob
    assert row["bytes"].read() == b"\x00\xff"


async def test_infinity_is_text_because_json_has_none(database: Database) -> None:
    assert await database.rows("SELECT 9e999 AS up, -9e999 AS down") == [{"up": "Infinity", "down": "-Infinity"}]


async def test_many_sets_of_values_are_all_executed_in_one_transaction(database: Database) -> None:
    people = [{"name": f"p{number}"} for number in range(2500)]
    done = await database.execute("INSERT INTO people (name) VALUES (:name)", people)
    assert done.outputs == {"row_count": 2500, "rows": [], "last_id": 2500}
    with pytest.raises(FatalNodeError) as raised:
        await database.execute("INSERT INTO people (name) VALUES (:name)", [{"name": "new"}, {"name": "p7"}])
    assert raised.value.code == "sql.constraint"
    assert raised.value.message == "The database says: UNIQUE constraint failed: people.name."
    assert await database.rows("SELECT count(*) AS n FROM people") == [{"n": 2500}]


async def test_no_sets_of_values_change_nothing(database: Database) -> None:
    done = await database.execute("INSERT INTO people (name) VALUES (:name)", [])
    assert done.outputs == {"row_count": 0, "rows": [], "last_id": None}


async def test_returning_gives_rows_for_every_set_of_values(database: Database) -> None:
    statement = "INSERT INTO people (name) VALUES (:name) RETURNING id, upper(name) AS loud"
    done = await database.execute(statement, [{"name": "Ada"}, {"name": "Grace"}])
    assert done.outputs["rows"] == [{"id": 1, "loud": "ADA"}, {"id": 2, "loud": "GRACE"}]
    assert done.outputs["row_count"] == 2


async def test_too_many_returned_rows_undo_the_change(database: Database) -> None:
    statement = "INSERT INTO people (name) VALUES (:name) RETURNING id"
    with pytest.raises(FatalNodeError) as raised:
        await database.execute(statement, [{"name": "a"}, {"name": "b"}, {"name": "c"}], max_rows=2)
    assert raised.value.code == "sql.too_many_rows"
    assert await database.rows("SELECT * FROM people") == []


async def test_more_rows_than_allowed_fail_or_are_left_out_as_the_config_says(database: Database) -> None:
    await database.execute("INSERT INTO people (name) VALUES ('a'), ('b'), ('c')")
    assert (await database.failure("SELECT * FROM people", max_rows=2)).code == "sql.too_many_rows"
    found = await database.query("SELECT name FROM people ORDER BY name", max_rows=2, on_more="truncate")
    assert found.outputs["rows"] == [{"name": "a"}, {"name": "b"}]
    assert found.outputs["truncated"] is True
    whole = await database.query("SELECT name FROM people", max_rows=3, on_more="truncate")
    assert (whole.outputs["row_count"], whole.outputs["truncated"]) == (3, False)


@pytest.mark.parametrize("rows_format", ["list", "json_lines"])
async def test_rows_that_are_too_large_fail(database: Database, rows_format: str) -> None:
    error = await database.failure("SELECT zeroblob(5000) AS z", max_bytes=4000, format=rows_format)
    assert error.code == "sql.too_large"


async def test_json_lines_hold_what_the_rows_are(database: Database) -> None:
    await database.execute("INSERT INTO people (name, more) VALUES ('ä\n', :more), ('b', NULL)", {"more": 2**62})
    found = await database.query("SELECT id, name, more, x'00ff' AS bytes FROM people", format="json_lines")
    blob = found.outputs["rows"]
    assert (blob.media_type, found.outputs["row_count"]) == ("application/x-ndjson", 2)
    assert [json.loads(line) for line in blob.read().decode().split("\n")[:-1]] == [
        {"id": 1, "name": "ä\n", "more": 2**62, "bytes": "AP8="},
        {"id": 2, "name": "b", "more": None, "bytes": "AP8="},
    ]


async def test_two_columns_of_one_name_are_refused_and_not_merged(database: Database) -> None:
    assert (await database.failure("SELECT 1 AS a, 2 AS a")).code == "sql.columns"


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO people (name) VALUES ('x') RETURNING id", "DELETE FROM people", "PRAGMA query_only = OFF"],
)
async def test_a_query_cannot_change_the_database(database: Database, statement: str) -> None:
    await database.execute("INSERT INTO people (name) VALUES ('Ada')")
    error = await database.failure(statement)
    assert error.code in {"sql.read_only", "sql.forbidden"}
    assert await database.rows("SELECT count(*) AS n FROM people") == [{"n": 1}]


async def test_a_query_does_not_make_a_file_that_is_not_there(node_harness: NodeHarness, tmp_path: Path) -> None:
    config = {"url": f"sqlite:///{tmp_path}/none.db", "statement": "SELECT 1"}
    with pytest.raises(FatalNodeError) as raised:
        await node_harness.run(Query, {}, config)
    assert raised.value.code == "sql.no_file"
    assert os.listdir(tmp_path) == []  # noqa: PTH208


@pytest.mark.parametrize(
    ("statement", "code", "words"),
    [
        ("SELEC 1", "sql.statement", 'near "SELEC": syntax error'),
        ("SELECT * FROM nowhere", "sql.statement", "no such table: nowhere"),
        ("SELECT 1; SELECT 2", "sql.statement", "one statement at a time"),
        ("SELECT :a", "sql.parameters", ":a"),
    ],
)
async def test_a_wrong_statement_fails_at_once_with_the_databases_words(
    database: Database, statement: str, code: str, words: str
) -> None:
    error = await database.failure(statement)
    assert (error.code, error.retryable) == (code, False)
    assert words in error.message


async def test_a_value_that_cannot_be_bound_is_named(database: Database) -> None:
    error = await database.failure("SELECT :a", {"a": [Blob.from_bytes(b"x")]})
    assert error.code == "sql.parameters"
    assert ":a" in error.message


async def test_a_file_that_somebody_else_writes_is_tried_again(database: Database) -> None:
    # Somebody else's transaction, which is still open after the last attempt.
    other = sqlite3.connect(database.file, isolation_level=None, timeout=0)
    with contextlib.closing(other):
        other.execute("BEGIN IMMEDIATE")
        config = {"url": database.url, "statement": "INSERT INTO people (name) VALUES ('x')"}
        with pytest.raises(NodeError) as raised:
            await database.harness.run(Execute, {}, config | {"lock_timeout_ms": 20})
        assert (raised.value.code, raised.value.retryable) == ("sql.locked", True)
        other.execute("ROLLBACK")
    assert (await database.execute("INSERT INTO people (name) VALUES ('x')")).outputs["row_count"] == 1


async def test_the_idempotency_key_is_a_parameter_by_itself(database: Database) -> None:
    await database.execute("INSERT INTO people (name) VALUES (:idempotency_key)")
    ((name,),) = [row.values() for row in await database.rows("SELECT name FROM people")]
    assert len(name) > 10


async def test_a_running_statement_ends_when_it_is_cancelled(database: Database) -> None:
    await database.execute("INSERT INTO people (name) VALUES ('Ada')")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n, people) SELECT count(*) AS c FROM n"
    other = sqlite3.connect(database.file, isolation_level=None, timeout=0)

    def is_read() -> bool:
        """Nobody can have a file to himself while somebody reads it."""
        try:
            other.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            return True
        other.execute("ROLLBACK")
        return False

    with contextlib.closing(other):
        async with database.harness.open(Query, {"url": database.url, "statement": endless}) as opened:
            running = await opened.start({})
            with anyio.fail_after(20):
                while not is_read():  # noqa: ASYNC110 - nothing tells when a statement has begun
                    await anyio.sleep(0.005)
            running.cancel()
            with pytest.raises(ExecutionError):
                await running.ended()
            assert not is_read()


async def test_several_statements_are_one_transaction(node_harness: NodeHarness, database: Database) -> None:
    statements = [
        "INSERT INTO people (name) VALUES (:name)",
        "UPDATE people SET more = :more WHERE name = :name RETURNING id, more",
        "INSERT INTO people (name) VALUES (:second)",
        "SELECT count(*) AS n FROM people",
    ]
    config = {"url": database.url, "statements": statements}
    parameters = {"name": "'; --", "more": [1], "second": "Grace"}
    ran = await node_harness.run(Transaction, {"parameters": parameters}, config)
    assert ran.outputs["results"] == [
        {"row_count": 1, "rows": []},
        {"row_count": 1, "rows": [{"id": 1, "more": "[1]"}]},
        {"row_count": 1, "rows": []},
        {"row_count": 1, "rows": [{"n": 2}]},
    ]
    with pytest.raises(FatalNodeError) as raised:
        await node_harness.run(Transaction, {"parameters": {**parameters, "name": "new"}}, config)
    assert raised.value.code == "sql.constraint"
    assert await database.rows("SELECT count(*) AS n FROM people") == [{"n": 2}]


@pytest.mark.parametrize(
    "statement",
    ["COMMIT", "/* so */ commit;", "END", "ROLLBACK", "BEGIN IMMEDIATE", "PREPARE TRANSACTION 'x'", "ABORT"],
)
async def test_no_statement_ends_the_transaction(node_harness: NodeHarness, database: Database, statement: str) -> None:
    statements = ["INSERT INTO people (name) VALUES ('Ada')", statement, "INSERT INTO nowhere VALUES (1)"]
    with pytest.raises(FatalNodeError) as raised:
        await node_harness.run(Transaction, {}, {"url": database.url, "statements": statements})
    assert raised.value.code == "sql.statement"
    assert await database.rows("SELECT name FROM people") == []


async def test_a_part_of_a_transaction_can_be_undone(node_harness: NodeHarness, database: Database) -> None:
    statements = [
        "SAVEPOINT before",
        "INSERT INTO people (name) VALUES ('Ada')",
        "ROLLBACK TRANSACTION TO before",
        "INSERT INTO people (name) VALUES ('Grace')",
    ]
    await node_harness.run(Transaction, {}, {"url": database.url, "statements": statements})
    assert await database.rows("SELECT name FROM people") == [{"name": "Grace"}]


async def test_a_text_that_is_none_is_a_fault_of_the_data(database: Database) -> None:
    error = await database.failure("SELECT CAST(x'ff' AS TEXT) AS a")
    assert (error.code, error.retryable) == ("sql.data", False)
    assert "CAST(" in error.remedy


async def test_each_statement_of_a_transaction_takes_no_expression(node_harness: NodeHarness) -> None:
    config = {"url": "sqlite://", "statements": ["SELECT 1", "SELECT '${{ vars.x }}'"]}
    with pytest.raises(WorkflowInvalid) as raised:
        await node_harness.run(Transaction, {}, config)
    problem = next(problem for problem in raised.value.problems if problem.code == "config.constant")
    assert problem.pointer.endswith("/config/statements/1")
