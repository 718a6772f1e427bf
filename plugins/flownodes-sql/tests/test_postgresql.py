"""`sql.query` and `sql.execute` with a real PostgreSQL server."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from flowcore.errors import FatalNodeError, NodeError
from flowcore.events import to_wire
from flowcore.values import Blob, write_json
from flownodes_sql.execute import Execute
from flownodes_sql.query import Query
from flowruntime.testing import NodeHarness, NodeRun

from tests.postgres_server import PostgresServer, serving_postgres

INJECTIONS = ["'; DROP TABLE people; --", "1 OR 1=1", "' OR ''='", "\\'; DELETE FROM people", "%(name)s %s", "$1", "$$"]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with serving_postgres() as served:
        yield served


class Database:
    """The server's database, and the nodes that use it; its URL is a secret."""

    def __init__(self, harness: NodeHarness, server: PostgresServer) -> None:
        self.harness = harness
        self.secrets = {"DB": server.url}

    async def _run(self, node: Any, statement: str, parameters: Any, config: dict[str, Any]) -> NodeRun:
        config = {"url": "${{ secrets.DB }}", "statement": statement, **config}
        return await self.harness.run(node, {"parameters": parameters}, config, secrets=self.secrets)

    async def execute(self, statement: str, parameters: Any = None, **config: Any) -> NodeRun:
        return await self._run(Execute, statement, parameters, config)

    async def rows(self, statement: str, parameters: Any = None, **config: Any) -> Any:
        return (await self._run(Query, statement, parameters, config)).outputs["rows"]

    async def failure(self, statement: str, parameters: Any = None, *, node: Any = Query, **config: Any) -> NodeError:
        with pytest.raises(NodeError) as raised:
            await self._run(node, statement, parameters, config)
        return raised.value


@pytest.fixture
async def database(node_harness: NodeHarness, server: PostgresServer) -> Database:
    made = Database(node_harness, server)
    await made.execute("DROP TABLE IF EXISTS people")
    await made.execute("CREATE TABLE people (id bigserial PRIMARY KEY, name text NOT NULL UNIQUE)")
    return made


async def test_what_is_inserted_is_given_back_and_found_again(database: Database) -> None:
    done = await database.execute("INSERT INTO people (name) VALUES (:name) RETURNING id, name", {"name": "Ada"})
    assert done.outputs == {"row_count": 1, "rows": [{"id": 1, "name": "Ada"}], "last_id": None}
    assert await database.rows("SELECT * FROM people WHERE id = :id", {"id": 1}) == [{"id": 1, "name": "Ada"}]


@pytest.mark.parametrize("text", INJECTIONS)
async def test_a_value_is_never_part_of_the_statement(database: Database, text: str) -> None:
    await database.execute("INSERT INTO people (name) VALUES ('Grace'), (:name)", {"name": text})
    assert await database.rows("SELECT name FROM people WHERE name = :name", {"name": text}) == [{"name": text}]
    assert await database.rows("SELECT count(*) AS n FROM people") == [{"n": 2}]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("9223372036854775807", 2**63 - 1),
        ("(-9223372036854775808)", -(2**63)),
        ("12345678901234567890.123456789000", "12345678901234567890.123456789000"),
        ("0.0000001", "0.0000001"),
        ("'NaN'::numeric", "NaN"),
        ("0.1::float8", 0.1),
        ("'Infinity'::float8", "Infinity"),
        ("NULL", None),
        ("true", True),
        ("'Ünïcödé 🚀'", "Ünïcödé 🚀"),
        ("date '2026-02-28'", "2026-02-28"),
        ("date '0044-03-15 BC'", "0044-03-15 BC"),
        ("time '12:30:00.25'", "12:30:00.25"),
        ("timestamp '2026-02-28 12:30:00.25'", "2026-02-28T12:30:00.25"),
        ("timestamptz '2026-02-28 12:30:00.25+05:30'", "2026-02-28T07:00:00.25Z"),
        ("timestamptz 'infinity'", "infinity"),
        ("interval '1 month 2 days 03:04:05'", "P1M2DT3H4M5S"),
        ("uuid '12345678-1234-5678-1234-567812345678'", "12345678-1234-5678-1234-567812345678"),
        ("'\\x00ff'::bytea", Blob.from_bytes(b"\x00\xff")),
        ('\'{"a": [1, null, "ü"]}\'::jsonb', {"a": [1, None, "ü"]}),
        ("'[18446744073709551616]'::json", ["18446744073709551616"]),
        ("ARRAY[1, NULL, 3]", [1, None, 3]),
        ("ARRAY[timestamptz '2026-02-28 12:30:00+00']", ["2026-02-28T12:30:00Z"]),
        ("ARRAY[1.10, 2.20]", ["1.10", "2.20"]),
        ("inet '127.0.0.1/8'", "127.0.0.1/8"),
        ("int4range(1, 5)", "[1,5)"),
        ("numrange(1.10, NULL)", "[1.10,)"),
        ("tstzrange('2026-02-28 12:30:00+02', 'infinity')", '["2026-02-28 10:30:00+00",infinity)'),
        ("'{[1,2),[4,5)}'::int4multirange", "{[1,2),[4,5)}"),
        ("ARRAY[int4range(1, 5)]", ["[1,5)"]),
        ("ROW(1, 'a', NULL)", "(1,a,)"),
    ],
)
async def test_types_become_json_exactly(database: Database, expression: str, value: Any) -> None:
    assert await database.rows(f"SELECT {expression} AS value") == [{"value": value}]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2**63 - 1, "bigint"),
        (None, "text"),
        (0.1, "float8"),
        (True, "boolean"),
        ("12345678901234567890.123", "numeric"),
        ("2026-02-28T07:00:00.25Z", "timestamptz"),
        ("2026-02-28", "date"),
        (str(uuid.UUID(int=7)), "uuid"),
        ("Ünïcödé 🚀", "text"),
        (Blob.from_bytes(b"\x00\xff"), "bytea"),
        ({"a": [1, {"b": None}]}, "jsonb"),
        ([{"a": 1}, 2], "jsonb"),
        ([1, None, 2**40], "bigint[]"),
        (["a", "b'"], "text[]"),
        ([[1, 2], [3, 4]], "int[]"),
        ([], "int[]"),
        ([1.5, 2], "float8[]"),
        ([[1, 2.5], [3, None]], "float8[]"),
        ([-40000, 5], "int[]"),
        ([], "jsonb"),
        (["a", [1, None]], "jsonb"),
        (5, "jsonb"),
        (True, "json"),
        (None, "jsonb"),
    ],
)
async def test_values_go_in_and_come_out_the_same(database: Database, value: Any, kind: str) -> None:
    assert await database.rows(f"SELECT CAST(:value AS {kind}) AS value", {"value": value}) == [{"value": value}]


async def test_numbers_are_as_large_as_those_in_a_statement(database: Database) -> None:
    assert await database.rows("SELECT :a * :b AS value", {"a": 300, "b": 300}) == [{"value": 90_000}]
    assert await database.rows("SELECT repeat('a', :n) AS value", {"n": 2}) == [{"value": "aa"}]
    assert await database.rows("SELECT pg_typeof(:a)::text AS value", {"a": 2**31}) == [{"value": "bigint"}]


async def test_an_empty_array_does_not_become_an_object_in_a_column_of_json(database: Database) -> None:
    await database.execute("CREATE TABLE IF NOT EXISTS documents (of_json jsonb, tags text[])")
    error = await database.failure("INSERT INTO documents (of_json) VALUES (:value)", {"value": []}, node=Execute)
    assert (error.code, error.retryable) == ("sql.data", False)
    sets = [{"value": [], "tags": []}, {"value": ["a"], "tags": ["a"]}, {"value": {}, "tags": [None]}]
    await database.execute("INSERT INTO documents VALUES (:value::jsonb, :tags)", sets)
    assert await database.rows("SELECT of_json AS value, tags FROM documents") == sets


async def test_an_array_is_what_any_takes(database: Database) -> None:
    await database.execute("INSERT INTO people (name) VALUES ('a'), ('b'), ('c')")
    found = await database.rows("SELECT name FROM people WHERE name = ANY(:names) ORDER BY 1", {"names": ["a", "c"]})
    assert found == [{"name": "a"}, {"name": "c"}]


async def test_casts_slices_and_literals_are_no_parameters(database: Database) -> None:
    statement = """SELECT :n::int AS n, (ARRAY[1,2,3])[1:2] AS s, '{"k" :1}'::jsonb AS j, 'x%:y' LIKE '%:y' AS l"""
    assert await database.rows(statement, {"n": 5}) == [{"n": 5, "s": [1, 2], "j": {"k": 1}, "l": True}]


@pytest.mark.parametrize("statement", ["SHOW server_encoding", "EXPLAIN SELECT 1", "VALUES (1)", "TABLE people"])
async def test_what_cannot_be_streamed_can_be_asked_too(database: Database, statement: str) -> None:
    assert isinstance(await database.rows(statement), list)


async def test_many_sets_of_values_are_all_executed_or_none(database: Database) -> None:
    people = [{"name": f"p{number}"} for number in range(2500)]
    done = await database.execute("INSERT INTO people (name) VALUES (:name)", people)
    assert done.outputs["row_count"] == 2500
    values = [{"name": "new"}, {"name": "p7"}]
    error = await database.failure("INSERT INTO people (name) VALUES (:name)", values, node=Execute)
    assert (error.code, error.retryable) == ("sql.constraint", False)
    assert error.details == {"sqlstate": "23505", "constraint": "people_name_key", "table": "people"}
    assert await database.rows("SELECT count(*) AS n FROM people") == [{"n": 2500}]


async def test_a_query_cannot_change_the_database(database: Database) -> None:
    inserting = "WITH made AS (INSERT INTO people (name) VALUES ('Ada') RETURNING id) SELECT id FROM made"
    for statement in ("DELETE FROM people", "SELECT nextval('people_id_seq')", "DROP TABLE people", inserting):
        assert (await database.failure(statement)).code == "sql.read_only"


@pytest.mark.parametrize("node", [Query, Execute])
@pytest.mark.parametrize(
    "statement",
    [
        "SET TRANSACTION READ WRITE; INSERT INTO people (name) VALUES ('Ada'); COMMIT",
        "INSERT INTO people (name) VALUES ('Ada'); COMMIT; SELECT 1/0",
        "SELECT 1; COMMIT; INSERT INTO people (name) VALUES ('Ada')",
        "COMMIT; INSERT INTO people (name) VALUES ('Ada')",
    ],
)
async def test_several_statements_in_one_text_are_refused_and_none_is_executed(
    database: Database, statement: str, node: Any
) -> None:
    error = await database.failure(statement, node=node)
    assert (error.code, error.retryable) == ("sql.statement", False)
    assert await database.rows("SELECT name FROM people") == []


@pytest.mark.parametrize("statement", ["COPY people FROM STDIN", "copy (SELECT 1)\nto stdout"])
async def test_a_copy_that_nobody_feeds_fails_at_once(database: Database, statement: str) -> None:
    error = await database.failure(statement, node=Execute)
    assert (error.code, error.retryable) == ("sql.statement", False)
    assert "COPY" in error.message


@pytest.mark.parametrize(
    ("statement", "parameters", "code"),
    [
        ("SELEC 1", None, "sql.statement"),
        ("SELECT * FROM nowhere", None, "sql.statement"),
        ("SELECT CAST(:a AS int)", {"a": "Zvalue"}, "sql.data"),
        ("SELECT :a", {"a": "\x00"}, "sql.data"),
        ("SELECT :a", {"a": [1, "mixed"]}, "sql.data"),
        ("SELECT 1/:a", {"a": 0}, "sql.data"),
        ("SET ROLE nobody_there", None, "sql.data"),
    ],
)
async def test_what_cannot_work_fails_at_once(database: Database, statement: str, parameters: Any, code: str) -> None:
    error = await database.failure(statement, parameters)
    assert (error.code, error.retryable) == (code, False)
    assert "SELECT" not in error.message


async def test_a_wrong_password_is_not_shown(node_harness: NodeHarness, server: PostgresServer) -> None:
    secrets = {"DB": f"postgresql://postgres:Zwrong@127.0.0.1:{server.port}/postgres"}
    config = {"url": "${{ secrets.DB }}", "statement": "SELECT 1"}
    async with node_harness.open(Query, config, secrets=secrets) as opened:
        running = await opened.start({})
        with pytest.raises(NodeError, match="password authentication failed") as raised:
            await running.ended()
        told = [write_json(to_wire(event, "execution", stored=True)) for event in running.events]
    assert (raised.value.code, raised.value.retryable) == ("sql.forbidden", False)
    assert len(told) == 4
    assert [text for text in [*told, str(raised.value)] if "Zwrong" in text] == []


@pytest.mark.parametrize(
    ("change", "code", "may_pass"),
    [
        (("postgres:", "Znobody:"), "sql.forbidden", False),
        (("/postgres", "/Znowhere"), "sql.forbidden", False),
        (("/postgres", "/postgres?sslmode=require"), "sql.forbidden", False),
        (("/postgres", "/postgres?sslmode=Zmode"), "sql.forbidden", False),
        (("127.0.0.1", "Zhost.invalid"), "sql.unavailable", True),
        (("127.0.0.1:", "127.0.0.1:1"), "sql.forbidden", False),  # 65536 and more
    ],
)
async def test_what_cannot_be_connected_with_is_told_without_the_url(
    database: Database, server: PostgresServer, *, change: tuple[str, str], code: str, may_pass: bool
) -> None:
    head, _, tail = server.url.rpartition(change[0]) if change[0].startswith("/") else server.url.partition(change[0])
    database.secrets = {"DB": f"{head}{change[1]}{tail}"}
    error = await database.failure("SELECT 1")
    assert (error.code, error.retryable) == (code, may_pass), error.message
    assert [part for part in ("Z", "127.0.0.1", str(server.port)) if part in error.message] == []


async def test_a_lock_of_somebody_elses_is_given_up_in_time(database: Database, server: PostgresServer) -> None:
    with psycopg.connect(server.url) as other:
        other.execute("LOCK TABLE people")
        error = await database.failure("SELECT * FROM people", lock_timeout_ms=20)
    assert (error.code, error.retryable) == ("sql.locked", True)


async def test_more_rows_than_the_node_may_take_fail(database: Database) -> None:
    error = await database.failure("SELECT generate_series(1, 1000000000) AS n", max_rows=2000)
    assert (error.code, isinstance(error, FatalNodeError)) == ("sql.too_many_rows", True)
