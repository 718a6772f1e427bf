"""Checks how a run ends that is not let to its end: by signals, and by readers that go away."""

import contextlib
import json
import signal
import subprocess
from pathlib import Path

import pytest

from apps.flowcli.tests.flow_command import NODES, Flow, chain, node

#: Far less than the nodes of these tests would take.
SOON_SECONDS = 60


def started(flow: Flow, *words: str) -> subprocess.Popen[bytes]:
    """A run with --events whose first node has started."""
    process = flow.start(*words, "--events")
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["type"] == "NodeStarted":
            return process
    raise AssertionError(process.communicate())


def finish(process: subprocess.Popen[bytes]) -> tuple[list[dict[str, object]], str]:
    out, err = process.communicate(timeout=SOON_SECONDS)
    return [json.loads(line) for line in out.splitlines()], err.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_execution_and_ends_with_130(flow: Flow, number: signal.Signals) -> None:
    file = flow.write("wait.json", chain(node("wait", "time.delay", delay_ms=600_000), node("then", "debug.noop")))
    process = started(flow, "run", file)
    process.send_signal(number)
    events, err = finish(process)
    assert process.returncode == 130
    assert [event["type"] for event in events[-2:]] == ["NodeCancelled", "WorkflowCompleted"]
    assert events[-1]["status"] == "cancelled"
    assert err.splitlines() == [
        "Cancelling the execution; a second Ctrl-C ends at once.",
        "The execution was cancelled.",
    ]


def test_a_cancelled_run_in_json_is_a_result_too(flow: Flow) -> None:
    talking = chain(node("talk", "local.talk", text="here"), node("wait", "time.delay", delay_ms=600_000))
    process = flow.start("run", flow.write("wait.json", talking), "--nodes", NODES, "--json")
    assert process.stderr is not None
    assert process.stderr.readline() == b"talk: here\n"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=SOON_SECONDS)
    assert process.returncode == 130
    assert json.loads(out)["status"] == "cancelled"
    assert json.loads(out)["completed_nodes"] == ["talk"]


def test_a_node_that_blocks_a_thread_does_not_keep_the_process(flow: Flow) -> None:
    process = started(flow, "run", flow.write("block.json", chain(node("b", "local.block"))), "--nodes", NODES)
    process.send_signal(signal.SIGINT)
    events, err = finish(process)
    assert process.returncode == 130
    assert events[-1]["status"] == "cancelled"
    assert "The execution was cancelled." in err


def test_a_second_signal_ends_a_node_that_blocks_everything(flow: Flow) -> None:
    source = (
        "import time\n"
        "from flowruntime.authoring import node\n"
        "@node(effects='pure')\n"
        "def stuck() -> None:\n"
        "    print('stuck', flush=True)\n"
        "    time.sleep(600)\n"
    )
    flow.write("stuck_nodes.py", source)
    process = flow.start("run", flow.write("stuck.json", chain(node("s", "local.stuck"))), "--nodes", "stuck_nodes.py")
    assert process.stderr is not None
    assert process.stderr.readline() == b"stuck\n"
    process.send_signal(signal.SIGINT)
    for _ in range(SOON_SECONDS * 10):
        # The kernel merges signals that come before the first is handled: say it until it is heard.
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            break
    process.communicate(timeout=SOON_SECONDS)
    assert process.returncode == 130


def test_an_ignored_signal_stays_ignored(flow: Flow) -> None:
    file = flow.write("wait.json", chain(node("wait", "time.delay", delay_ms=1)))
    command = ["sh", "-c", 'trap "" INT; kill -INT $$; exec "$@"', "sh", *flow.command("run", file, "--json")]
    ended = subprocess.run(command, cwd=flow.folder, env=flow.environment, capture_output=True, check=False)
    assert ended.returncode == 0


def test_a_reader_that_goes_away_cancels_the_run_quietly(flow: Flow) -> None:
    nodes = [node("wait", "time.delay", delay_ms=600_000)] + [node(f"n{n}", "debug.noop") for n in range(3000)]
    file = flow.write("wide.json", {"name": "Wide", "nodes": nodes})
    with flow.start("run", file, "--events") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["type"] == "WorkflowStarted"
        process.stdout.close()
        assert process.wait(SOON_SECONDS) == 130
        assert process.stderr.read() == b"The execution was cancelled.\n"


@pytest.mark.parametrize("words", [("nodes",), ("nodes", "show", "http.request"), ("run", "one.json"), ("--help",)])
def test_a_closed_pipe_ends_quietly(flow: Flow, words: tuple[str, ...]) -> None:
    flow.write("one.json", chain(node("one", "transform.set", fields={"n": 1})))
    with flow.start(*words) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(SOON_SECONDS) == 0
        assert process.stderr.read() == b""


def test_a_full_disk_is_told(flow: Flow) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            flow.command("nodes"), env=flow.environment, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"error: The output cannot be written: No space left on device.")
    assert b"Traceback" not in ended.stderr


def test_closed_streams_are_no_error(flow: Flow) -> None:
    file = flow.write("one.json", chain(node("one", "transform.set", fields={"n": 1})))
    command = ["sh", "-c", 'exec "$@" >&- 2>&- <&-', "sh", *flow.command("run", file)]
    assert subprocess.run(command, cwd=flow.folder, env=flow.environment, check=False).returncode == 0
