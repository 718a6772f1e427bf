"""A process that adds versions to workflows of a database: `python library_writer.py DATABASE NAME COUNT`.

It makes COUNT versions of the workflow `shared`, each on top of the latest one, as editors do, and COUNT workflows of
its own. Once it has read the latest version it says `ready` and waits for a line, so that two of them begin with the
same one. At the end it says how often it was refused.
"""

from __future__ import annotations

import sys

from flowcore.contracts import StoredWorkflow
from flowcore.documents import parse_workflow
from flowcore.errors import StoreError
from flowcore.workflows import Workflow
from flowruntime.stores.sqlite import SqliteStore


def flow(workflow_id: str, said: list[str]) -> Workflow:
    """A workflow that says something."""
    nodes = [{"id": "a", "node_type": "debug.noop"}]
    return parse_workflow({"id": workflow_id, "name": workflow_id, "vars": {"said": said}, "nodes": nodes})


def following(latest: StoredWorkflow | None, word: str) -> Workflow:
    """The latest version with one word more."""
    said = [] if latest is None or latest.workflow is None else latest.workflow.vars["said"]
    return flow("shared", [*said, word])


def main(path: str, name: str, count: int) -> None:
    """Add them."""
    store = SqliteStore(path)
    store.open()
    library = store.workflows
    latest = library.get("shared")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    refused = 0
    for number in range(count):
        word = f"{name}-{number}"
        library.put(flow(word, []))
        while True:
            try:
                latest = library.put(following(latest, word), expected=0 if latest is None else latest.version)
            except StoreError as error:
                if error.code != "workflow.conflict":
                    raise
                refused += 1
                latest = library.get("shared")
            else:
                break
    store.close()
    sys.stdout.write(f"{refused}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
