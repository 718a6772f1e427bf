"""A real PostgreSQL server that is killed, shared, overtaken and asked to stop."""

import contextlib
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import psycopg
import pytest
from flowcore.errors import ExecutionError, FatalNodeError, NodeError, RetryableNodeError
from flowcore.events import NodeRetrying
from flownodes_sql.execute import Execute
from flownodes_sql.query import Query
from flowruntime.runtime import Runtime
from flowruntime.testing import NodeHarness

from tests.postgres_server import PostgresServer, serving_postgres

LIMIT_SECONDS = 20


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with serving_postgres() as served:
        yield served


@pytest.fixture
def admin(server: PostgresServer) -> Iterator["Admin"]:
    with psycopg.connect(server.url, autocommit=True, application_name="admin") as connection:
        yield Admin(connection)


class Admin:
    """Somebody who looks at the server meanwhile."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def active(self) -> int:
        """How many others sleep in a statement: those that begin transactions are done at any moment."""
        return self._count("wait_event = 'PgSleep'")

    def connected(self) -> int:
        """How many others are connected."""
        return self._count("true")

    def at_the_gate(self) -> int:
        """How many others wait for an advisory lock."""
        found = self.connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return int(found.fetchall()[0][0])

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so."""
        with anyio.fail_after(LIMIT_SECONDS):
            while not is_so():  # noqa: ASYNC110
                await anyio.sleep(0.005)  # nothing tells what other connections do

    def _count(self, condition: str) -> int:
        found = self.connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "  # noqa: S608
            f"AND application_name <> 'admin' AND {condition}"
        ).fetchone()
        assert found is not None
        return int(found[0])


@pytest.mark.parametrize("node", [Query, Execute])
async def test_a_cancelled_statement_ends_at_the_server(
    node_harness: NodeHarness, server: PostgresServer, admin: Admin, node: Any
) -> None:
    config = {"url": server.url, "statement": "SELECT pg_sleep(1000)"}
    async with node_harness.open(node, config) as opened:
        running = await opened.start({})
        await admin.until(lambda: admin.active() == 1)
        running.cancel()
        with pytest.raises(ExecutionError):
            await running.ended()
        await admin.until(lambda: admin.active() == 0)


async def test_without_the_request_the_statement_would_go_on(
    node_harness: NodeHarness, server: PostgresServer, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psycopg.Connection.cancel_safe", lambda self, timeout: None)
    monkeypatch.setattr("flownodes_sql.database._END_SECONDS", 0.2)
    config = {"url": server.url, "statement": "SELECT pg_sleep(1000)"}
    async with node_harness.open(Query, config) as opened:
        running = await opened.start({})
        await admin.until(lambda: admin.active() == 1)
        running.cancel()
        with pytest.raises(ExecutionError):
            await running.ended()
        assert admin.active() == 1
        admin.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


async def test_an_attempt_that_times_out_ends_its_statement_too(server: PostgresServer, admin: Admin) -> None:
    document = {
        "name": "slow",
        "nodes": [
            {
                "id": "slow",
                "node_type": "sql.query",
                "config": {"url": server.url, "statement": "SELECT pg_sleep(1000)"},
                "retry_policy": {"max_attempts": 1},
                "timeout_ms": 300,
            }
        ],
    }
    async with Runtime() as runtime:
        result = await runtime.run(document)
        assert result.error is not None
        assert result.error["code"] == "node.timeout"
        await admin.until(lambda: admin.active() == 0)


async def test_a_server_that_does_not_answer_is_not_waited_for_when_nobody_wants_it_any_more(
    node_harness: NodeHarness,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = {"url": f"postgresql://ada@127.0.0.1:{silent.getsockname()[1]}/x", "statement": "SELECT 1"}
        async with node_harness.open(Query, config) as opened:
            running = await opened.start({})
            connection, _ = await anyio.to_thread.run_sync(silent.accept)
            with connection, anyio.fail_after(7):
                running.cancel()
                with pytest.raises(ExecutionError):
                    await running.ended()


async def test_fifty_attempts_share_the_connections_of_one_node(
    node_harness: NodeHarness, server: PostgresServer, admin: Admin
) -> None:
    await admin.until(lambda: admin.connected() == 0)  # those of other tests are gone
    config = {"url": server.url, "statement": "SELECT pg_backend_pid() AS pid, pg_sleep(0.01)", "pool_size": 4}
    most = 0
    pids: set[int] = set()
    async with node_harness.open(Query, config) as opened, anyio.create_task_group() as tasks:

        async def one() -> None:
            nonlocal most
            ran = await (await opened.start({})).ended()
            most = max(most, admin.connected())
            pids.add(ran.outputs["rows"][0]["pid"])

        for _ in range(50):
            tasks.start_soon(one)
    assert 1 < most <= 4
    assert len(pids) <= 4
    await admin.until(lambda: admin.connected() == 0)


async def test_a_server_that_is_killed_meanwhile_is_asked_again_when_it_is_back(
    node_harness: NodeHarness, server: PostgresServer
) -> None:
    # It waits for the lock of somebody else, who goes down with the server.
    config = {"url": server.url, "statement": "SELECT :n::int AS n FROM pg_advisory_xact_lock_shared(1)"}
    async with node_harness.open(Query, config) as opened:
        with psycopg.connect(server.url, autocommit=True, application_name="admin") as connection:
            connection.execute("SELECT pg_advisory_lock(1)")
            running = await opened.start({"parameters": {"n": 7}})
            look = Admin(connection)
            await look.until(lambda: look.at_the_gate() == 1)
            await anyio.to_thread.run_sync(server.kill)
        retrying = await running.until(NodeRetrying)
        assert retrying.error["code"] == "sql.unavailable"
        opened.clock.advance(10)
        retrying = await running.until(NodeRetrying)  # it is still down
        assert retrying.error["code"] == "sql.unavailable"
        await anyio.to_thread.run_sync(server.start)
        opened.clock.advance(10)
        ran = await running.ended()
        assert (ran.outputs["rows"], ran.attempts) == ([{"n": 7}], 3)


async def test_connections_that_died_between_attempts_are_not_noticed(
    node_harness: NodeHarness, server: PostgresServer
) -> None:
    config = {"url": server.url, "statement": "SELECT 1 AS one"}
    async with node_harness.open(Query, config) as opened:
        assert (await opened.run({})).attempts == 1
        await anyio.to_thread.run_sync(server.kill)
        await anyio.to_thread.run_sync(server.start)
        assert (await opened.run({})).attempts == 1


async def test_a_deadlock_is_tried_again(node_harness: NodeHarness, server: PostgresServer, admin: Admin) -> None:
    admin.connection.execute("CREATE TABLE two (id int PRIMARY KEY, n int); INSERT INTO two VALUES (1, 0), (2, 0)")
    admin.connection.execute("ALTER SYSTEM SET deadlock_timeout = '20ms'")
    admin.connection.execute("SELECT pg_reload_conf()")
    # Takes row 1, wants row 2 as soon as the other one, who does it the other way round, has that.
    statement = "UPDATE two SET n = n + 1 FROM pg_advisory_xact_lock_shared(:gate) WHERE id = :id"
    config = {"url": server.url, "statement": statement, "lock_timeout_ms": 60_000}
    orders = [[{"id": one, "gate": 0}, {"id": other, "gate": 1}] for one, other in ((1, 2), (2, 1))]
    attempts = []
    admin.connection.execute("SELECT pg_advisory_lock(1)")
    async with node_harness.open(Execute, config) as opened, anyio.create_task_group() as tasks:

        async def one(order: list[dict[str, int]]) -> None:
            running = await opened.start({"parameters": order})
            with contextlib.suppress(LookupError):  # it has ended
                while True:
                    retrying = await running.until(NodeRetrying)
                    assert retrying.error["code"] == "sql.conflict"
                    opened.clock.advance(60)
            attempts.append((await running.ended()).attempts)

        for order in orders:
            tasks.start_soon(one, order)
        await admin.until(lambda: admin.at_the_gate() == len(orders))
        admin.connection.execute("SELECT pg_advisory_unlock(1)")
    assert sum(attempts) > 2
    assert admin.connection.execute("SELECT n FROM two").fetchall() == [(2,), (2,)]


@pytest.mark.parametrize("keyed", [False, True])
async def test_a_commit_that_nobody_answered_is_repeated_only_with_a_key(
    node_harness: NodeHarness, server: PostgresServer, admin: Admin, *, keyed: bool
) -> None:
    # A deferred trigger runs in COMMIT: there the connection is cut, as a server does that goes down.
    admin.connection.execute(
        """
        DROP TABLE IF EXISTS cut;
        CREATE TABLE cut (key text UNIQUE);
        CREATE OR REPLACE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON cut DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        EXECUTE FUNCTION cut()
        """
    )
    statement = "INSERT INTO cut (key) VALUES (:key) ON CONFLICT DO NOTHING"
    if keyed:
        statement = statement.replace(":key", ":idempotency_key")
    expected: type[NodeError] = RetryableNodeError if keyed else FatalNodeError
    with pytest.raises(expected) as raised:
        await node_harness.run(Execute, {"parameters": {"key": "x"}}, {"url": server.url, "statement": statement})
    assert raised.value.code == ("sql.unavailable" if keyed else "sql.commit_unknown")


async def test_twenty_thousand_rows_take_little_memory(node_harness: NodeHarness, server: PostgresServer) -> None:
    statement = "SELECT n AS id, repeat('x', 1000) AS text FROM generate_series(1, 20000) AS n"
    config = {"url": server.url, "statement": statement, "format": "json_lines", "max_rows": None}
    # The driver's buffers are not Python's, but what it gives is: a whole result would be 20 MB and more.
    tracemalloc.start()
    try:
        ran = await node_harness.run(Query, {}, config)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    blob = ran.outputs["rows"]
    assert ran.outputs["row_count"] == 20_000
    assert sum(part.count(b"\n") for part in blob.parts()) == 20_000
    assert blob.size > 20_000_000
    assert peak < 8_000_000
