"""A process with a store of its own: does what it reads, and says what came of it, line by line as JSON.

Not a test: `other_processes.py` starts it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from flowcore.errors import StoreError
from flowcore.events import ExecutionId
from flowruntime.stores.processes import this_process
from flowruntime.stores.sqlite import SqliteStore
from flowruntime.testing.stores.samples import append, create, started


def main(path: str) -> None:
    """Do what stdin says until it ends."""
    store = SqliteStore(path)
    store.open()
    for line in sys.stdin:
        name, *words = json.loads(line)
        try:
            said = do(store, name, *words)
        except StoreError as error:
            said = error.code
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


def do(store: SqliteStore, name: str, *words: Any) -> Any:
    """One thing. Raises StoreError when the store refuses it."""
    match name, words:
        case "register", [given]:
            return store.register(this_process(given), lease_seconds=600).number
        case "create", [owner, *ids]:
            return create(store, *map(ExecutionId, ids), owner=owner)
        case "append", [execution_id, seq, token]:
            return append(store, execution_id, started(seq), token=token)
        case "claim", [owner, *ids]:
            return [attempt(store, ExecutionId(execution_id), owner) for execution_id in ids]
        case _:
            raise AssertionError(name)


def attempt(store: SqliteStore, execution_id: ExecutionId, owner: int) -> int | str:
    """The token, or why it was not claimed."""
    try:
        return store.claim(execution_id, owner).token
    except StoreError as error:
        return error.code


if __name__ == "__main__":
    main(sys.argv[1])
