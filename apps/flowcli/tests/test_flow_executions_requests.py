"""`flow executions answer`, `signal` and `cancel` reach whoever runs an execution, and take up what nobody runs."""

import json
import signal
import time
from typing import Any

import pytest
from flowcli.asking import Nobody
from flowcli.commands.executions import requests
from flowcore.contracts import Store

from apps.flowcli.tests.flow_command import Flow, chain, node
from apps.flowcli.tests.kept_executions import DB, LASTING, events_until, kept, killed, started, stopped

WAITING = {"id": "hold", "name": "Hold", "nodes": [node("hold", "control.wait", signal="go")]}


def resting_beside_a_nap(flow: Flow) -> str:
    """An execution that was killed in a node that must not repeat, beside one that naps for long."""
    pay = node("pay", "local.note", ledger=str(flow.folder / "ledger"), lasts=True)
    nodes = [pay | {"delivery": "at_most_once"}, node("nap", "time.delay", delay_ms=60_000)]
    file = flow.write("pay.json", {"id": "pay", "name": "Pay", "nodes": nodes})
    return killed(flow, "run", file, "--nodes", LASTING, at="NodeStarted", count=2)


def test_a_signal_reaches_the_process_that_runs_it(flow: Flow, flow_inside: Flow) -> None:
    process, execution_id = started(flow, "run", flow.write("hold.json", WAITING), at="NodeWaiting")
    shown = kept(flow_inside, execution_id)
    assert shown["owner"]["pid"] == process.pid
    assert shown["waits"][0]["commands"] == [
        f"flow executions signal {execution_id} go --value null --db sqlite:///flow.db"
    ]
    wrong = flow_inside("executions", "signal", execution_id, "stop", "--json", *DB)
    assert (wrong.code, wrong.json["error"]["code"]) == (2, "execution.no_such_wait")
    assert "'hold' for the signal 'go'" in wrong.json["error"]["remedy"]
    taken = flow_inside("executions", "signal", execution_id, "go", "--value", '{"by": "Ada"}', "--json", *DB)
    assert (taken.code, taken.json["done"], taken.json["owner"]["pid"]) == (0, True, process.pid)
    events = events_until(process, lambda event: event["type"] == "WorkflowCompleted")
    assert stopped(process)[0] == 0
    assert events[-1]["outputs"]["hold"]["value"] == {"by": "Ada"}


def test_a_signal_reaches_who_was_quicker_to_take_it_up(
    flow: Flow, flow_inside: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, execution_id = started(flow, "run", flow.write("hold.json", WAITING), at="NodeWaiting")

    def before_that(store: Store, *words: Any, **limits: Any) -> Nobody:
        return Nobody(number=store.requests.put(*words))

    monkeypatch.setattr(requests, "ask", before_that)
    taken = flow_inside("executions", "signal", execution_id, "go", "--value", "5", "--json", *DB)
    assert (taken.code, taken.json["done"], taken.json["owner"]["pid"]) == (0, True, process.pid)
    assert (
        events_until(process, lambda event: event["type"] == "WorkflowCompleted")[-1]["outputs"]["hold"]["value"] == 5
    )
    assert stopped(process)[0] == 0


def test_a_signal_takes_up_what_nobody_runs(flow: Flow) -> None:
    execution_id = killed(flow, "run", flow.write("hold.json", WAITING), at="NodeWaiting")
    flow.write("value.json", "[1, 2]")
    ended = flow("executions", "signal", execution_id, "go", "--value", "@value.json", *DB)
    assert (ended.code, ended.json["hold"]["value"]) == (0, [1, 2])
    assert ended.err.startswith(f"Nobody runs execution {execution_id}: it goes on here.\n")


def test_what_waits_for_another_signal_is_not_taken_up(flow: Flow, flow_inside: Flow) -> None:
    execution_id = killed(flow, "run", flow.write("hold.json", WAITING), at="NodeWaiting")
    before = kept(flow_inside, execution_id)["seq"]
    refused = flow_inside("executions", "signal", execution_id, "stop", *DB)
    assert (refused.code, "What waits: node 'hold' for the signal 'go'." in refused.err) == (2, True)
    assert kept(flow_inside, execution_id)["seq"] == before


def test_an_answer_reaches_the_process_that_runs_it(flow: Flow, flow_inside: Flow) -> None:
    execution_id = resting_beside_a_nap(flow)
    process, _ = started(flow, "executions", "resume", execution_id, "--nodes", LASTING, at="NodeWaiting")
    wrong = flow_inside("executions", "answer", execution_id, "nap", "retry", "--json", *DB)
    assert (wrong.code, wrong.json["error"]["code"]) == (2, "execution.no_such_wait")
    assert "'pay' for an answer" in wrong.json["error"]["remedy"]
    taken = flow_inside("executions", "answer", execution_id, "pay", 'value={"result": 3}', *DB)
    assert (taken.code, taken.err.startswith("Node 'pay' has completed; 'flow-")) == (0, True), taken.err
    completed = events_until(process, lambda event: event["type"] == "NodeCompleted")[-1]
    assert (completed["node_id"], completed["outputs"]) == ("pay", {"result": 3})
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_an_answer_to_a_node_in_a_loop_takes_its_path(flow: Flow) -> None:
    pay = node("pay", "local.note", ledger=str(flow.folder / "ledger"), lasts=True)
    body = {"name": "Body", "nodes": [pay | {"delivery": "at_most_once"}]}
    loop = node("each", "control.loop", mode="times", times=1, body=body)
    file = flow.write("loop.json", {"id": "loop", "name": "Loop", "nodes": [loop]})
    execution_id = killed(flow, "run", file, "--nodes", LASTING, count=2)
    rested = flow("executions", "resume", execution_id, "--nodes", LASTING, *DB)
    assert (rested.code, "--path 'each[0]'" in rested.err) == (4, True), rested.err
    without = flow("executions", "answer", execution_id, "pay", "retry", "--nodes", LASTING, *DB)
    assert (without.code, "node 'each[0]/pay' for an answer" in without.err) == (2, True)
    for_it = ("--path", '[["each", 0, 1]]', "--nodes", LASTING)
    ended = flow("executions", "answer", execution_id, "pay", "retry", *for_it, *DB)
    assert ended.code == 0, ended.err
    assert (flow.folder / "ledger").read_text().splitlines() == ["pay 1", "pay 2"]


def test_an_answer_that_does_not_fit_is_refused_and_the_node_still_waits(flow: Flow, flow_inside: Flow) -> None:
    pay = node("pay", "local.pay") | {"delivery": "at_most_once"}
    execution_id = killed(flow, "run", flow.write("pay.json", chain(pay)), "--nodes", LASTING)
    refused = flow("executions", "answer", execution_id, "pay", "value=7", "--nodes", LASTING, "--json", *DB)
    assert (refused.code, refused.json["error"]["code"]) == (2, "execution.bad_answer")
    assert [wait["node_id"] for wait in kept(flow_inside, execution_id)["waits"]] == ["pay"]
    good = 'value={"paid": true, "left": 0}'
    ended = flow("executions", "answer", execution_id, "pay", good, "--nodes", LASTING, *DB)
    assert (ended.code, ended.json) == (0, {"pay": {"paid": True, "left": 0}})


def cancelled_elsewhere(flow: Flow, flow_inside: Flow) -> tuple[str, float]:
    """The id of an execution that was cancelled while another process ran it, and how many seconds that took."""
    process, execution_id = started(flow, "run", flow.write("hold.json", WAITING), at="NodeWaiting")
    began = time.monotonic()
    ended = flow_inside("executions", "cancel", execution_id[:30], "--json", *DB)
    assert (ended.code, ended.json) == (0, [{"execution_id": execution_id, "status": "cancelled"}])
    assert stopped(process) == (130, "The execution was cancelled.\n")
    return execution_id, time.monotonic() - began


def test_cancelling_ends_another_process_soon(flow: Flow, flow_inside: Flow) -> None:
    # It takes half a second; what is done at longer intervals is done every five seconds and more seldom. A machine
    # that is busy with other things needs longer, though not every time.
    execution_id, took_seconds = cancelled_elsewhere(flow, flow_inside)
    for _ in range(4):
        if took_seconds >= 3:
            execution_id, took_seconds = cancelled_elsewhere(flow, flow_inside)
    assert took_seconds < 3
    again = flow_inside("executions", "cancel", execution_id, "--json", *DB)
    assert (again.code, again.json[0]["error"]["code"]) == (2, "execution.final")


def test_cancelling_ends_what_nobody_runs_and_starts_nothing(flow: Flow) -> None:
    ledger = str(flow.folder / "ledger")
    pay = node("pay", "local.note", ledger=ledger, lasts=True)
    file = flow.write("pay.json", chain(pay, node("then", "local.note", ledger=ledger)))
    ids = [killed(flow, "run", file, "--nodes", LASTING) for _ in range(2)]
    ended = flow("executions", "cancel", *ids, "--nodes", LASTING, *DB)
    assert (ended.code, ended.out) == (0, "".join(f"{one}  cancelled\n" for one in ids))
    assert (flow.folder / "ledger").read_text().splitlines() == ["pay 1"] * 2


def test_a_process_that_stands_still_is_named_and_does_it_later(flow: Flow, flow_inside: Flow) -> None:
    process, execution_id = started(flow, "run", flow.write("hold.json", WAITING), at="NodeWaiting")
    process.send_signal(signal.SIGSTOP)
    asked = flow_inside("executions", "signal", execution_id, "go", "--timeout", "0.1", "--json", *DB)
    assert (asked.code, asked.json["done"], asked.json["owner"]["pid"]) == (1, False, process.pid)
    assert "It is written down" in asked.err
    process.send_signal(signal.SIGCONT)
    assert stopped(process)[0] == 0


def test_wrong_words_are_told(flow_inside: Flow) -> None:
    wrong: list[Any] = [
        ["answer", "x", "node"],
        ["answer", "x", "node", "maybe"],
        ["answer", "x", "node", "value"],
        ["answer", "x", "node", "value={"],
        ["answer", "x", "node", "retry", "--path", "[1]"],
        ["signal", "x"],
        ["cancel"],
        ["list", "--follow"],
        ["resume", "--json", "--events"],
        ["cancel", "nobody"],
    ]
    for words in wrong:
        ended = flow_inside("executions", *words)
        assert (ended.code, "error:" in ended.err) == (2, True), words
    assert json.loads(flow_inside("executions", "answer", "x", "n", "value=x", "--json").out)["error"]["remedy"]
