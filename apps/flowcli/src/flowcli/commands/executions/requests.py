"""`flow executions answer` and `signal`: says something to an execution, and runs it on when nobody does."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, Final

import anyio.to_thread
from flowcore.contracts import ExecutionRecord, RequestKind, Store
from flowcore.events import Path
from flowcore.executions import FINAL_STATUSES
from flowcore.values import Value, read_json, write_json

from flowcli.asking import Done, Nobody, ask, wait_for_answer, wait_for_owner
from flowcli.databases import open_database
from flowcli.exit_codes import FAILED, SUCCESS
from flowcli.node_paths import place_text, read_path
from flowcli.snapshots import fold
from flowcli.sources import read_source
from flowcli.stored_executions import find_execution, owner_json, summary_of
from flowcli.terminal import printable, say, write_data
from flowcli.usage import UsageError
from flowcli.waits import Waits

__all__ = ["answer", "signal"]

#: Nodes that were running when their process went away may have to be answered for once they are taken up.
_MAY_WAIT: Final = frozenset({"running", "interrupted", "retrying"})


def answer(arguments: argparse.Namespace) -> int:
    """Say what becomes of a node that must not be repeated."""
    given, node_id, text = arguments.words
    verb, equals, value_text = text.partition("=")
    if verb not in ("retry", "fail", "value") or bool(equals) != (verb == "value"):
        raise UsageError(f"{text!r} is no answer.", code="answer.form", remedy="Write retry, fail or value=JSON.")
    value = _value(value_text, "the answer") if equals else None
    path = read_path(arguments.path or "")
    body = {
        "node_id": node_id,
        "path": [[name, item] for name, item, _ in path],
        "answer": verb,
        "value": value,
    }
    place = place_text(path, node_id)
    with open_database(arguments.db) as store:
        record = find_execution(store, given)
        if summary_of(store, record.execution_id).owner is None:
            _require_node(store, record, path, node_id)
        what = {"retry": "runs again", "fail": "has failed", "value": "has completed"}[verb]
        return _ask(arguments, store, record, "answer", body, done=f"Node {place!r} {what}")


def signal(arguments: argparse.Namespace) -> int:
    """Wake the nodes that wait for a signal."""
    given, name = arguments.words
    text = arguments.value
    if text is not None and text.startswith("@"):
        text = read_source(text[1:], what="value").decode(errors="replace")
    body = {"name": name, "value": None if text is None else _value(text, "--value")}
    with open_database(arguments.db) as store:
        record = find_execution(store, given)
        if summary_of(store, record.execution_id).owner is None:
            _require_signal(store, record, name)
        return _ask(arguments, store, record, "signal", body, done=f"The signal {name!r} was taken")


def _ask(
    arguments: argparse.Namespace,
    store: Store,
    record: ExecutionRecord,
    kind: RequestKind,
    body: Mapping[str, Any],
    *,
    done: str,
) -> int:
    execution_id = record.execution_id
    try:
        asked = ask(store, execution_id, kind, body, timeout_seconds=arguments.timeout)
        while isinstance(asked, Nobody):
            code = _go_on(arguments, store, record, asked.number)
            if code is not None:
                return code
            asked = wait_for_owner(store, execution_id, asked.number, timeout_seconds=arguments.timeout)
    except UsageError as refused:
        raise _with_waits(store, record, refused) from refused
    owner = asked.owner
    if isinstance(asked, Done):
        say(printable(f"{done}; {owner.name!r} runs the execution."))
    else:
        say(
            f"It is written down, but {owner.name!r} (process {owner.pid} on {owner.host!r}), which runs the "
            f"execution, has not come for it in {arguments.timeout:g} s."
        )
    if arguments.json:
        told = {"execution_id": execution_id, "done": isinstance(asked, Done), "owner": owner_json(owner)}
        write_data(write_json(told, indent=2) + "\n")
    return SUCCESS if isinstance(asked, Done) else FAILED


def _go_on(arguments: argparse.Namespace, store: Store, record: ExecutionRecord, number: int) -> int | None:
    """Take the execution up, which reads the request, and run it on; None when somebody else was quicker."""
    from flowcli.commands.executions.resuming import take_up  # brings the engine

    async def resumed() -> None:
        await anyio.to_thread.run_sync(_wait)

    def _wait() -> None:
        wait_for_answer(store, number, timeout_seconds=arguments.timeout)

    say(f"Nobody runs execution {record.execution_id}: it goes on here.")
    is_held = False
    try:
        return take_up(arguments, record, accept_packs=arguments.accept_packs, resumed=resumed)
    except UsageError as refused:
        is_held = refused.code == "lease.held"
        if not is_held:
            raise
        return None
    finally:
        if not is_held:
            store.requests.forget(number)  # nobody is to find it later when it could not be done now


# --- what waits -----------------------------------------------------------------------------------------


def _require_node(store: Store, record: ExecutionRecord, path: Path, node_id: str) -> None:
    """Raise UsageError when the node certainly does not wait for an answer, without taking the execution up."""
    execution, waits = fold(store, record.execution_id)
    if execution.status in FINAL_STATUSES:
        return  # the request will be refused
    place = [(name, item) for name, item, _ in path]
    if any(node.node_id == node_id and _steps(node.path) == place for node in waits.of("answer")):
        return
    for view in execution.nodes.values():
        if view.node_id == node_id and _steps(view.path) == place and view.status in _MAY_WAIT:
            return
    refused = UsageError(
        f"Node {place_text(path, node_id)!r} of execution {record.execution_id!r} does not wait for an answer.",
        code="execution.no_such_wait",
        remedy="",
    )
    raise _with_waits(store, record, refused)


def _require_signal(store: Store, record: ExecutionRecord, name: str) -> None:
    """Raise UsageError when no node waits for the signal: in an execution that nobody runs, none begins to."""
    execution, waits = fold(store, record.execution_id)
    if execution.status in FINAL_STATUSES or any(node.signal == name for node in waits.of("signal")):
        return
    refused = UsageError(
        f"No node of execution {record.execution_id!r} waits for the signal {name!r}.",
        code="execution.no_such_wait",
        remedy="",
    )
    raise _with_waits(store, record, refused)


def _with_waits(store: Store, record: ExecutionRecord, refused: UsageError) -> UsageError:
    """The refusal, with what does wait."""
    if refused.code != "execution.no_such_wait":
        return refused
    _, waits = fold(store, record.execution_id)
    return UsageError(refused.message, code=refused.code, remedy=_what_waits(waits))


def _what_waits(waits: Waits) -> str:
    said = [f"node {place_text(node.path, node.node_id)!r} for an answer" for node in waits.of("answer")]
    said += [
        f"node {place_text(node.path, node.node_id)!r} for the signal {node.signal!r}" for node in waits.of("signal")
    ]
    if not said:
        return "None of its nodes waits for an answer or a signal now."
    return f"What waits: {', '.join(said)}."


def _steps(path: Path) -> list[tuple[str, int | None]]:
    return [(name, item) for name, item, _ in path]


def _value(text: str, what: str) -> Value:
    parsed = read_json(text)
    if parsed.problems:
        problem = parsed.problems[0]
        raise UsageError(
            f"The value of {what} is no JSON: {problem.message}",
            code=problem.code,
            remedy=f"{problem.remedy} A text is quoted twice: '\"text\"'.".lstrip(),
        )
    return parsed.value
