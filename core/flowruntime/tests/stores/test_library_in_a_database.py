"""The library in a database file: what outlives a process, what others see, what happens when several write."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from flowcore.documents import parse_workflow
from flowcore.errors import StoreError
from flowcore.workflows import Workflow
from flowruntime.testing.stores.samples import ONE, create

from core.flowruntime.tests.stores.keeping import opened

WRITER = Path(__file__).with_name("library_writer.py")


def flow(value: int = 1) -> Workflow:
    nodes = [{"id": "n", "node_type": "debug.inspect", "inputs": {"value": value}}]
    return parse_workflow({"id": "greet", "name": "Greet", "nodes": nodes})


def test_what_was_put_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    with opened(tmp_path / "flow.db") as store:
        store.workflows.put(flow())
        store.workflows.put(flow(2))
        store.workflows.activate("greet", active=True)
        before = store.workflows.get("greet"), store.workflows.get("greet", 1), store.workflows.changes()
    with opened(tmp_path / "flow.db") as store:
        assert (store.workflows.get("greet"), store.workflows.get("greet", 1), store.workflows.changes()) == before


def test_one_connection_sees_what_another_has_changed(tmp_path: Path) -> None:
    with opened(tmp_path / "flow.db") as one, opened(tmp_path / "flow.db") as other:
        one.workflows.put(flow())
        seen = other.workflows.changes()
        assert other.workflows.get("greet") == one.workflows.get("greet")
        one.workflows.put(flow(2))
        assert other.workflows.changes() > seen
        assert other.workflows.get("greet") == one.workflows.get("greet")
        with pytest.raises(StoreError, match="at version 2 now, not at 1"):
            other.workflows.put(flow(3), expected=1)


def test_two_processes_that_add_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    database, count = tmp_path / "flow.db", 40
    writers = [
        subprocess.Popen(
            [sys.executable, str(WRITER), str(database), name, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    refused = [int(writer.communicate(timeout=180)[0]) for writer in writers]
    with opened(database) as store:
        shared = store.workflows.get("shared")
        assert shared is not None
        assert shared.workflow is not None
        said = list(shared.workflow.vars["said"])
        listed = {stored.id for stored in store.workflows.list(limit=1000)}
        changes = store.workflows.changes()
    everything = {f"{name}-{number}" for name in ("one", "two") for number in range(count)}
    assert set(said) == everything
    assert len(said) == shared.version == 2 * count
    assert listed == {*everything, "shared"}
    assert changes == 4 * count
    assert sum(refused) > 0  # both have begun with nothing


def test_a_document_lies_there_once_for_library_and_executions(tmp_path: Path) -> None:
    with opened(tmp_path / "flow.db") as store:
        store.workflows.put(flow())
        store.workflows.put(flow(2))
        store.workflows.put(flow())
        create(store, ONE, workflow=flow(), named={"greet": flow(2)})
    with closing(sqlite3.connect(tmp_path / "flow.db")) as connection:
        assert connection.execute("SELECT count(*) FROM documents").fetchone() == (2,)


def test_an_execution_keeps_its_documents_when_the_workflow_is_removed(tmp_path: Path) -> None:
    with opened(tmp_path / "flow.db") as store:
        store.workflows.put(flow())
        create(store, ONE, workflow=flow(), named={"greet": flow()})
        store.workflows.remove("greet")
        record = store.record(ONE)
        assert record is not None
        assert (record.workflow, record.named) == (flow(), {"greet": flow()})


def test_a_damaged_document_is_told_and_the_others_can_be_read(tmp_path: Path) -> None:
    with opened(tmp_path / "flow.db") as store:
        store.workflows.put(flow())
        store.workflows.put(flow(2))
    with closing(sqlite3.connect(tmp_path / "flow.db")) as connection, connection:
        connection.execute("UPDATE documents SET content = substr(content, 10) WHERE number = 2")
    with opened(tmp_path / "flow.db") as store:
        with pytest.raises(StoreError, match="Version 2 of the workflow 'greet' is damaged") as caught:
            store.workflows.get("greet")
        assert caught.value.code == "store.corrupt"
        first_version = store.workflows.get("greet", 1)
        assert first_version is not None
        assert first_version.workflow == flow()
        assert [stored.version for stored in store.workflows.versions("greet")] == [2, 1]


def test_a_database_that_is_only_read_can_be_looked_at_and_not_changed(tmp_path: Path) -> None:
    with opened(tmp_path / "flow.db") as store:
        store.workflows.put(flow())
    with opened(tmp_path / "flow.db", read_only=True) as store:
        assert store.workflows.find("Greet") is not None
        with pytest.raises(StoreError) as caught:
            store.workflows.put(flow(2))
        assert caught.value.code == "store.read_only"


def test_a_closed_library_says_so(tmp_path: Path) -> None:
    with opened(tmp_path / "flow.db") as store:
        pass
    for call in (store.workflows.changes, store.workflows.list, lambda: store.workflows.put(flow())):
        with pytest.raises(StoreError) as caught:
            call()
        assert caught.value.code == "store.closed"


def test_a_name_is_found_without_reading_the_whole_library(tmp_path: Path) -> None:
    with opened(tmp_path / "flow.db"):
        pass
    with closing(sqlite3.connect(tmp_path / "flow.db")) as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT number FROM workflows WHERE name = ? ORDER BY number LIMIT 1", ("x",)
        ).fetchall()
    assert [row[3] for row in plan] == ["SEARCH workflows USING COVERING INDEX workflows_by_name (name=?)"]
