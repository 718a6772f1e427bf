"""`flow executions resume` takes up what a killed process left, once, and runs it to its end or its rest."""

import json
import select
import signal
from collections.abc import Callable
from typing import Any

import pytest
from flowruntime.clock import SystemClock

from apps.flowcli.tests.flow_command import Flow, chain, node
from apps.flowcli.tests.kept_executions import DB, LASTING, SOON_SECONDS, events_until, kept, killed, started, stopped

#: Longer than these tests take, however busy the machine is.
LONG_MS = 3_600_000


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets so much time pass for what this process runs."""

    def pass_time() -> None:
        now_us = SystemClock.now_us
        monkeypatch.setattr(SystemClock, "now_us", lambda clock: now_us(clock) + LONG_MS * 1000)

    return pass_time


def napping(delay_ms: int = LONG_MS) -> dict[str, Any]:
    return chain(node("first", "debug.noop"), node("nap", "time.delay", delay_ms=delay_ms), node("last", "debug.noop"))


def noting(flow: Flow, **fields: Any) -> str:
    """A workflow whose node 'pay' is killed in the middle of its first attempt."""
    ledger = str(flow.folder / "ledger")
    pay = node("pay", "local.note", ledger=ledger, lasts=True) | fields
    return flow.write("pay.json", chain(node("before", "local.note", ledger=ledger), pay) | {"id": "pay"})


def test_a_run_that_was_killed_in_a_delay_is_listed_as_interrupted_and_resumed(
    flow: Flow, flow_inside: Flow, later: Callable[[], None]
) -> None:
    execution_id = killed(flow, "run", flow.write("nap.json", napping()), at="NodeWaiting")
    listed = flow_inside("executions", "list", *DB)
    assert "interrupted" in listed.out
    assert "flow executions resume" in listed.err
    shown = kept(flow_inside, execution_id)
    assert (shown["status"], shown["owner"], shown["interrupted"]) == ("waiting", None, True)
    text = flow_inside("executions", "show", execution_id, *DB)
    assert "interrupted: nobody runs it" in text.out
    assert f"flow executions resume {execution_id} --db sqlite:///flow.db" in text.err
    later()
    ended = flow_inside("executions", "resume", execution_id, "--json", *DB)
    assert (ended.code, ended.json["status"], ended.json["execution_id"]) == (0, "succeeded", execution_id)
    assert ended.json["completed_nodes"] == ["first", "nap", "last"]


def test_a_write_that_was_killed_runs_again_and_what_was_done_does_not(flow: Flow) -> None:
    execution_id = killed(flow, "run", noting(flow), "--nodes", LASTING, count=2)
    ended = flow("executions", "resume", execution_id, "--nodes", LASTING, "--events", *DB)
    assert ended.code == 0
    assert [event["type"] for event in ended.events][:2] == ["WorkflowResumed", "NodeInterrupted"]
    assert (flow.folder / "ledger").read_text().splitlines() == ["before 1", "pay 1", "pay 2"]


def test_a_node_that_must_not_repeat_rests_until_it_is_answered(flow: Flow, flow_inside: Flow) -> None:
    execution_id = killed(flow, "run", noting(flow, delivery="at_most_once"), "--nodes", LASTING, count=2)
    rested = flow("executions", "resume", execution_id, "--nodes", LASTING, *DB)
    assert (rested.code, rested.out) == (4, "")
    command = f"flow executions answer {execution_id} pay value=JSON --db sqlite:///flow.db --nodes {LASTING}"
    assert command in rested.err
    shown = kept(flow_inside, execution_id)
    assert [(wait["node_id"], wait["waits_for"]) for wait in shown["waits"]] == [("pay", "answer")]
    again = flow("executions", "resume", execution_id, "--nodes", LASTING, "--json", *DB)
    assert (again.code, again.json["status"], again.json["waits"][0]["node_id"]) == (4, "waiting", "pay")
    answered = flow("executions", "answer", execution_id, "pay", "value=7", "--nodes", LASTING, *DB)
    assert (answered.code, answered.json) == (0, {"pay": {"result": 7}})
    assert (flow.folder / "ledger").read_text().splitlines() == ["before 1", "pay 1"]


def test_all_that_nobody_runs_is_resumed_at_once(flow: Flow, flow_inside: Flow, later: Callable[[], None]) -> None:
    file = flow.write("nap.json", napping() | {"id": "nap"})
    ids = [killed(flow, "run", file, at="NodeWaiting") for _ in range(2)]
    failing = chain(node("nap", "time.delay", delay_ms=LONG_MS), node("fail", "control.fail", message="Enough."))
    bad = killed(flow, "run", flow.write("bad.json", failing | {"id": "bad"}), at="NodeWaiting")
    later()
    ended = flow_inside("executions", "resume", *DB)
    assert ended.code == 1
    lines = [line.split() for line in ended.out.splitlines()]
    assert sorted(line[:2] for line in lines) == sorted([*([one, "succeeded"] for one in ids), [bad, "failed"]])
    assert "Enough." in ended.out
    nothing = flow("executions", "resume", "--json", *DB)
    assert (nothing.code, nothing.json) == (0, [])


def test_of_two_that_resume_at_once_one_wins_and_the_other_is_told(flow: Flow, flow_inside: Flow) -> None:
    hold = {"id": "hold", "name": "Hold", "nodes": [node("hold", "control.wait", signal="go")]}
    execution_id = killed(flow, "run", flow.write("hold.json", hold), at="NodeWaiting")
    words = ("executions", "resume", execution_id, "--json", *DB)
    rivals = {rival.stdout.fileno(): rival for rival in (flow.start(*words), flow.start(*words)) if rival.stdout}
    (first, *_), _, _ = select.select(list(rivals), [], [], SOON_SECONDS)
    loser = rivals.pop(first)
    refused = json.loads(loser.communicate(timeout=SOON_SECONDS)[0])["error"]
    (winner,) = rivals.values()
    assert (loser.returncode, refused["code"]) == (2, "lease.held")
    assert f"(process {winner.pid} on " in refused["message"]
    assert flow_inside("executions", "signal", execution_id, "go", *DB).code == 0
    assert json.loads(winner.communicate(timeout=SOON_SECONDS)[0])["status"] == "succeeded"
    types = [event["type"] for event in flow_inside("executions", "events", execution_id, "--json", *DB).events]
    assert types.count("WorkflowResumed") == 1


def test_what_cannot_be_resumed_is_wrong_usage(flow: Flow, flow_inside: Flow) -> None:
    done = flow_inside("run", flow.write("one.json", chain(node("one", "debug.noop"))), "--json", *DB)
    execution_id = done.json["execution_id"]
    ended = flow_inside("executions", "resume", execution_id, "--json", *DB)
    assert (ended.code, ended.json["error"]["code"]) == (2, "execution.final")
    near = flow_inside("executions", "resume", execution_id[:-1] + "x", "--json", *DB)
    assert (near.code, near.json["error"]["code"]) == (2, "execution.unknown")
    assert execution_id in near.json["error"]["remedy"]
    both = flow_inside("executions", "resume", execution_id, execution_id[:-2], "--json", *DB)
    assert (both.code, [one["execution_id"] for one in both.json]) == (2, [execution_id])


def test_types_that_are_not_here_set_it_aside_until_they_are(flow: Flow, flow_inside: Flow) -> None:
    execution_id = killed(flow, "run", noting(flow), "--nodes", LASTING, count=2)
    refused = flow("executions", "resume", execution_id, "--json", *DB)
    assert (refused.code, refused.json["error"]["code"]) == (1, "execution.types_changed")
    assert "--nodes" in refused.json["error"]["remedy"]
    shown = kept(flow_inside, execution_id)
    assert (shown["status"], shown["interrupted"]) == ("quarantined", False)
    assert "cannot run here" in shown["quarantine"]
    assert "set aside" in flow_inside("executions", "show", execution_id, *DB).out
    assert flow_inside("executions", "resume", "--json", *DB).json == []
    assert flow("executions", "resume", execution_id, "--nodes", LASTING, *DB).code == 0


def test_ctrl_c_cancels_the_one_that_is_resumed(flow: Flow) -> None:
    execution_id = killed(flow, "run", flow.write("nap.json", napping()), at="NodeWaiting")
    process, _ = started(flow, "executions", "resume", execution_id, at="WorkflowResumed")
    process.send_signal(signal.SIGINT)
    code, err = stopped(process)
    assert (code, "The execution was cancelled." in err) == (130, True)
    assert kept(flow, execution_id)["status"] == "cancelled"


def test_ctrl_c_leaves_several_as_they_stand(flow: Flow, flow_inside: Flow) -> None:
    execution_id = killed(flow, "run", flow.write("nap.json", napping()), at="NodeWaiting")
    process, _ = started(flow, "executions", "resume", at="WorkflowResumed")
    process.send_signal(signal.SIGINT)
    code, err = stopped(process)
    assert (code, "left as they stand" in err) == (130, True)
    assert (kept(flow_inside, execution_id)["status"], kept(flow_inside, execution_id)["owner"]) == ("waiting", None)


@pytest.mark.parametrize("form", ["--json", "--events"])
def test_a_run_with_a_node_that_must_not_repeat_rests_as_well(flow: Flow, form: str) -> None:
    ledger = str(flow.folder / "ledger")
    once = node("once", "local.note", ledger=ledger) | {"delivery": "at_most_once"}
    retried = chain(once, node("fail", "local.refuse_once"), id="retried") | {
        "settings": {"on_error": {"RetryWorkflow": {"max_attempts": 2}}}
    }
    nodes = (
        "from pathlib import Path\n"
        "from flowruntime.authoring import RetryableNodeError, node\n"
        "@node(effects='write')\n"
        "async def note(*, ledger: str) -> None:\n"
        "    Path(ledger).touch()\n"
        "@node(effects='pure', retry_policy={'max_attempts': 1, 'delay_ms': 1})\n"
        "async def refuse_once() -> None:\n"
        "    raise RetryableNodeError('No.', code='no')\n"
    )
    flow.write("nodes.py", nodes)
    ended = flow("run", flow.write("retried.json", retried), "--nodes", "nodes.py", form, *DB)
    assert ended.code == 4, ended.err
    assert "flow executions answer" in ended.err
    last = ended.json["waits"][0] if form == "--json" else ended.events[-1]
    assert last["node_id"] == "once"


def test_a_follower_sees_what_another_process_does_until_the_end(flow: Flow) -> None:
    process, execution_id = started(flow, "run", flow.write("nap.json", napping(700)), at="NodeWaiting")
    with flow.start("executions", "events", execution_id, "--follow", "--json", *DB) as follower:
        events = events_until(follower, lambda event: event["type"] == "WorkflowCompleted")
        assert follower.wait(SOON_SECONDS) == 0
    assert stopped(process)[0] == 0
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
