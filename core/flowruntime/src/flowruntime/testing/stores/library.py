"""What every library of workflows must do: `flowcore.contracts.LibraryStore`."""

from __future__ import annotations

from typing import Any

import pytest
from flowcore.contracts import LibraryStore, Store, StoredWorkflow
from flowcore.documents import read_workflow, write_workflow
from flowcore.errors import StoreError
from flowcore.values import write_json
from flowcore.workflows import Workflow

__all__ = ["LibrarySuite"]


def flow(workflow_id: str = "greet", **fields: Any) -> Workflow:
    """A workflow; a `value` tells one version from another."""
    value = fields.pop("value", 1)
    node = {"id": "n", "node_type": "debug.inspect", "inputs": {"value": value}}
    workflow = read_workflow({"id": workflow_id, "name": "Greet", "nodes": [node], **fields}, allow_draft=True).workflow
    assert workflow is not None
    return workflow


def text(workflow: Workflow | None) -> str:
    """The document as JSON, where 1 is no 1.0 and keys have an order."""
    assert workflow is not None
    return write_json(write_workflow(workflow))


def got(stored: StoredWorkflow | None) -> StoredWorkflow:
    """What must be there."""
    assert stored is not None
    return stored


#: Everything in which a document could be changed by keeping it.
EVERYTHING: dict[str, Any] = {
    "x-editor": {"zoom": 1.0, "b": 1, "a": [None, -0.0, 5e-324, 2**63 - 1, -(2**63), "é\u0000\u2028\U0001f600"]},
    "description": "",
    "vars": {"limit": 10, "ratio": 10.0, "yes": True},
    "nodes": [
        {
            "id": "b",
            "node_type": "debug.noop",
            "x-color": "red",
            "config": {"z": 1, "a": {"type": "String", "value": ""}},
        },
        {"id": "a", "node_type": "debug.noop", "position": {"x": -1.5, "y": 0}, "cache": {"ttl_ms": None}},
    ],
    "connections": [
        {"from_node": "b", "from_port": "y", "to_node": "a", "to_port": "y", "x-bend": [1, 2]},
        {"from_node": "b", "from_port": "x", "to_node": "a", "to_port": "x"},
    ],
    "triggers": [{"id": "t", "trigger_type": {"type": "Manual"}, "enabled": False}],
    "outputs": {"result": None},
    "settings": {"on_error": {"RetryWorkflow": {"max_attempts": 3}}, "max_parallel_nodes": None},
}


class LibrarySuite:
    """Give `store` as a fixture; it is open, empty, and closed by the fixture."""

    @pytest.fixture
    def store(self) -> Store:
        """The store under test."""
        raise AssertionError("an implementation gives its own")

    @pytest.fixture
    def library(self, store: Store) -> LibraryStore:
        """Its library."""
        return store.workflows

    # --- versions -----------------------------------------------------------------------------------

    def test_what_was_put_is_version_1(self, library: LibraryStore) -> None:
        put = library.put(flow(description="Says hello"))
        assert (put.id, put.version, put.name, put.description) == ("greet", 1, "Greet", "Says hello")
        assert (put.is_draft, put.is_active) == (False, False)
        assert put.created_us == put.updated_us > 0
        assert put.workflow == flow(description="Says hello")
        assert library.get("greet") == library.get("greet", 1) == library.find("greet") == put

    def test_another_document_is_the_next_version_and_the_former_stays_as_it_was(self, library: LibraryStore) -> None:
        first = library.put(flow())
        second = library.put(flow(value=2, name="Hello"))
        assert (second.version, second.name) == (2, "Hello")
        assert second.created_us == first.created_us <= second.updated_us
        assert library.get("greet") == second
        assert library.get("greet", 1) == first
        assert [text(got(library.get("greet", number)).workflow) for number in (1, 2)] == [
            text(flow()),
            text(flow(value=2, name="Hello")),
        ]

    def test_the_same_document_again_makes_no_version(self, library: LibraryStore) -> None:
        first = library.put(flow())
        changes = library.changes()
        assert library.put(flow()) == first
        assert library.changes() == changes
        library.put(flow(value=2))
        assert library.put(flow()).version == 3

    @pytest.mark.parametrize("other", [1.0, True, "1", {"b": 1, "a": 2}, None])
    def test_what_is_only_nearly_the_same_is_another_version(self, library: LibraryStore, other: Any) -> None:
        library.put(flow(value={"a": 2, "b": 1} if isinstance(other, dict) else 1))
        assert library.put(flow(value=other)).version == 2
        assert text(got(library.get("greet")).workflow) == text(flow(value=other))

    def test_a_document_comes_back_byte_for_byte(self, library: LibraryStore) -> None:
        workflow = flow(**EVERYTHING)
        library.put(workflow)
        kept = got(library.get("greet")).workflow
        assert kept == workflow
        assert text(kept) == text(workflow)

    def test_versions_that_there_are_not_are_not_found(self, library: LibraryStore) -> None:
        library.put(flow())
        assert [library.get("greet", number) for number in (-1, 0, 2, 2**63, 2**64)] == [None] * 5
        assert library.get("gone") is library.get("gone", 1) is None
        assert list(library.versions("gone")) == []

    def test_versions_are_listed_newest_first_without_documents(self, library: LibraryStore) -> None:
        for value in (1, 2, 3):
            library.put(flow(value=value), draft=value == 2)
        listed = library.versions("greet")
        assert [(stored.version, stored.is_draft, stored.workflow) for stored in listed] == [
            (3, False, None),
            (2, True, None),
            (1, False, None),
        ]

    def test_who_expects_another_version_is_refused_and_nothing_changes(self, library: LibraryStore) -> None:
        for expected in (1, 7):
            with pytest.raises(StoreError) as caught:
                library.put(flow(), expected=expected)
            assert caught.value.code == "workflow.conflict"
        assert library.get("greet") is None
        assert library.put(flow(), expected=0).version == 1
        changes = library.changes()
        for expected in (0, 2):
            with pytest.raises(StoreError) as caught:
                library.put(flow(value=2), expected=expected)
            assert caught.value.code == "workflow.conflict"
        assert library.changes() == changes
        assert got(library.get("greet")).version == 1
        assert library.put(flow(value=2), expected=1).version == 2

    # --- names --------------------------------------------------------------------------------------

    def test_an_id_comes_before_a_name_and_the_oldest_of_a_name_first(self, library: LibraryStore) -> None:
        library.put(flow("z", name="two"))
        library.put(flow("a", name="two"))
        assert got(library.find("two")).id == "z"
        library.put(flow("z", value=2, name="two"))
        assert (got(library.find("two")).id, got(library.find("two")).version) == ("z", 2)
        library.put(flow("two", name="other"))
        assert got(library.find("two")).name == "other"
        library.remove("two")
        library.remove("z")
        assert got(library.find("two")).id == "a"
        assert library.find("gone") is None

    def test_a_former_name_is_no_name(self, library: LibraryStore) -> None:
        library.put(flow(name="before"))
        library.put(flow(name="now"))
        assert library.find("before") is None
        assert got(library.find("now")).version == 2

    @pytest.mark.parametrize(
        "name", ["a b/ü", "%", "a'b\"c", "\u0000", "../..", " x", "\U0001f600", "A" * 10_000, "null"]
    )
    def test_any_text_is_an_id_and_a_name(self, library: LibraryStore, name: str) -> None:
        library.put(flow(name, name=name))
        library.put(flow("other", name=f"{name}?"))
        assert got(library.get(name)).name == got(library.find(name)).name == name
        assert got(library.find(f"{name}?")).id == "other"
        assert [stored.version for stored in library.versions(name)] == [1]
        assert sorted(stored.id for stored in library.list()) == sorted([name, "other"])
        assert library.activate(name, active=True)
        assert library.remove(name)
        assert library.get(name) is None

    def test_names_are_told_apart_by_case(self, library: LibraryStore) -> None:
        library.put(flow("greet", name="Greet"))
        library.put(flow("GREET", name="GREETING"))
        assert got(library.find("GREET")).name == "GREETING"
        assert library.find("gREET") is None

    # --- drafts -------------------------------------------------------------------------------------

    def test_a_draft_is_the_latest_version_and_does_not_run(self, library: LibraryStore) -> None:
        library.put(flow())
        draft = library.put(flow(nodes=[], name="Half"), draft=True)
        assert (draft.version, draft.is_draft) == (2, True)
        assert library.get("greet") == draft
        assert got(library.list()[0]).is_draft
        assert got(library.find("greet")).version == got(library.find("Greet")).version == 1
        assert library.find("Half") is None
        assert library.put(flow(value=2), expected=2).version == 3
        assert got(library.find("greet")).version == 3

    def test_a_workflow_of_which_there_are_drafts_only_is_not_found_by_name(self, library: LibraryStore) -> None:
        library.put(flow("greet", name="Greet"), draft=True)
        library.put(flow("other", name="greet"))
        assert library.find("greet") is library.find("Greet") is None
        assert got(library.get("greet")).is_draft

    def test_a_draft_with_faults_comes_back_with_them(self, library: LibraryStore) -> None:
        nodes = [{"id": "a", "node_type": "no.such"}, {"id": "a", "node_type": "debug.noop"}]
        connections = [{"from_node": "gone", "from_port": "x", "to_node": "a", "to_port": "y"}]
        workflow = flow(nodes=nodes, connections=connections)
        library.put(workflow, draft=True)
        assert text(got(library.get("greet")).workflow) == text(workflow)

    def test_a_draft_that_is_put_again_as_none_is_none_any_more(self, library: LibraryStore) -> None:
        library.put(flow(), draft=True)
        changes = library.changes()
        put = library.put(flow())
        assert (put.version, put.is_draft) == (1, False)
        assert library.find("greet") == library.get("greet") == put
        assert library.changes() > changes
        assert library.put(flow(), draft=True) == put

    # --- lists, removal, triggers -------------------------------------------------------------------

    def test_lists_are_by_id_in_pages_without_documents(self, library: LibraryStore) -> None:
        ids = ["ä", "b", "a", "B", "a/", "\U0001f600", "\uffff"]
        for workflow_id in ids:
            library.put(flow(workflow_id))
            library.put(flow(workflow_id, value=2))
        whole = library.list()
        assert [stored.id for stored in whole] == sorted(ids)
        assert {(stored.version, stored.workflow) for stored in whole} == {(2, None)}
        paged: list[StoredWorkflow] = []
        while page := library.list(after=paged[-1].id if paged else None, limit=3):
            paged.extend(page)
        assert paged == list(whole)

    def test_what_was_removed_is_gone_and_begins_anew(self, library: LibraryStore) -> None:
        library.put(flow())
        library.put(flow(value=2))
        library.activate("greet", active=True)
        assert library.remove("greet")
        assert library.get("greet") is library.get("greet", 1) is library.find("Greet") is None
        assert (list(library.list()), list(library.versions("greet"))) == ([], [])
        assert not library.remove("greet")
        again = library.put(flow(value=2), expected=0)
        assert (again.version, again.is_active) == (1, False)

    def test_triggers_are_turned_on_and_off_for_the_whole_workflow(self, library: LibraryStore) -> None:
        library.put(flow())
        assert library.activate("greet", active=True)
        assert library.put(flow(value=2)).is_active
        assert [stored.is_active for stored in library.versions("greet")] == [True, True]
        assert got(library.get("greet", 1)).is_active
        assert got(library.find("greet")).is_active
        assert library.list()[0].is_active
        assert library.activate("greet", active=False)
        assert not got(library.get("greet")).is_active
        assert not library.activate("gone", active=True)

    def test_every_change_is_counted_and_looking_is_none(self, library: LibraryStore) -> None:
        counts = [library.changes()]
        for change in (
            lambda: library.put(flow()),
            lambda: library.put(flow(value=2)),
            lambda: library.activate("greet", active=True),
            lambda: library.remove("greet"),
        ):
            change()
            counts.append(library.changes())
        assert counts == sorted(set(counts))
        library.get("greet")
        library.find("greet")
        library.list()
        library.remove("gone")
        library.activate("gone", active=True)
        assert library.changes() == counts[-1]

    def test_what_is_found_again_is_the_same_object_while_nothing_changes(self, library: LibraryStore) -> None:
        library.put(flow())
        assert got(library.find("greet")).workflow is got(library.find("Greet")).workflow
