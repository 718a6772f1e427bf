"""Checks what `flow run` shows on a terminal, on the screen of a real pseudo-terminal."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from apps.flowcli.tests.flow_command import NODES, Flow, chain, node
from apps.flowcli.tests.screen import Shown, run_on_terminal, screen_of


def show(
    flow: Flow,
    *words: str,
    own_stdout: int | None = None,
    rows: int = 24,
    interrupt_at: str | None = None,
    **environment: str,
) -> Shown:
    """Run it on a terminal of 100 columns."""
    return run_on_terminal(
        flow.command(*words),
        folder=flow.folder,
        environment={**flow.environment, "TERM": "xterm-256color", **environment},
        rows=rows,
        own_stdout=own_stdout,
        interrupt_at=interrupt_at,
    )


def mixed(flow: Flow) -> str:
    """A workflow in which nodes come to different ends."""
    nodes = [
        node("wait", "time.delay", delay_ms=250),
        node("say", "debug.log", inputs={"message": "over here"}),
        node("call", "local.flaky", failures=1),
        node("door", "local.refuse", on_error="continue"),
    ]
    return flow.write("mixed.json", {"name": "Mixed fates", "nodes": nodes})


def test_every_node_is_shown_with_state_duration_attempts_and_its_last_words(flow: Flow) -> None:
    shown = show(flow, "run", mixed(flow), "--nodes", NODES)
    assert shown.code == 0
    head, wait, say, call, door, *_ = shown.screen
    assert re.fullmatch(r"Mixed fates  succeeded  [\d.]+ m?s  4 of 4 nodes", head)
    assert re.fullmatch(r"├─ ✔ wait +completed +[\d.]+ m?s", wait)
    assert re.fullmatch(r"├─ ✔ say +completed +[\d.]+ m?s +DEBUG: over here", say)
    assert re.fullmatch(r"├─ ✔ call +completed +[\d.]+ m?s +attempt 2 +The line was dropped at attempt 1\.", call)
    assert re.fullmatch(r"└─ ✘ door +failed +[\d.]+ m?s +The door is locked\.", door)


def test_the_result_follows_the_view_and_the_cursor_is_shown_again(flow: Flow) -> None:
    shown = show(flow, "run", flow.write("one.json", chain(node("one", "transform.set", fields={"n": 1}))))
    start = shown.screen.index("{")
    assert json.loads("\n".join(shown.screen[start:])) == {"one": {"value": {"n": 1}}}
    assert shown.written.rindex("\x1b[?25h") > shown.written.rindex("\x1b[?25l")


def test_a_running_node_is_shown_while_it_runs_at_most_ten_times_a_second(flow: Flow) -> None:
    file = flow.write("wait.json", chain(node("wait", "time.delay", delay_ms=600_000)))
    shown = show(flow, "run", file, interrupt_at=r"(◌ wait +waiting +[\d.]+ m?s.*){5}")
    assert shown.code == 130
    pictures = re.findall(r"([\d.]+) (m?s)  0 of 1 nodes", shown.text.partition("Cancelling")[0])
    shown_ms = [float(number) * (1 if unit == "ms" else 1000) for number, unit in pictures]
    # Of a second or more, a tenth is shown.
    assert all(later - earlier >= 95 or later >= 1000 for earlier, later in pairwise(shown_ms) if earlier)


def test_a_failure_is_told_below_the_view(flow: Flow) -> None:
    shown = show(flow, "run", flow.write("door.json", chain(node("open", "local.refuse"))), "--nodes", NODES)
    assert shown.code == 1
    assert "failed" in shown.screen[0]
    assert shown.screen[-2:] == ["error: Node 'open' failed: The door is locked.", "  Bring the key. [door.locked]"]


def test_ctrl_c_leaves_a_clean_screen(flow: Flow) -> None:
    file = flow.write("wait.json", chain(node("wait", "time.delay", delay_ms=60_000), node("then", "debug.noop")))
    shown = show(flow, "run", file, interrupt_at="◌ wait.*○ then")
    assert shown.code == 130
    above, head, wait, then, below = shown.screen
    assert above == "Cancelling the execution; a second Ctrl-C ends at once."
    assert head.startswith("Chain  cancelled")
    assert "■ wait  cancelled" in wait
    assert "○ then  pending" in then
    assert below == "The execution was cancelled."
    assert shown.written.rindex("\x1b[?25h") > shown.written.rindex("\x1b[?25l")


def test_data_on_another_stream_stays_clean_while_the_terminal_shows_the_view(flow: Flow, tmp_path: Path) -> None:
    file = flow.write("noisy.json", chain(node("noisy", "local.noisy")))
    with (tmp_path / "out").open("w+") as out:
        shown = show(flow, "run", file, "--nodes", NODES, "--json", own_stdout=out.fileno())
        out.seek(0)
        assert json.load(out)["status"] == "succeeded"
    assert "noise on stdout" in shown.screen
    assert any("✔ noisy" in line for line in shown.screen)


def test_more_nodes_than_lines_are_counted(flow: Flow) -> None:
    nodes = [node(f"n{number}", "debug.noop") for number in range(50)]
    nodes[40] = node("n40", "local.refuse", on_error="continue")
    shown = show(flow, "run", flow.write("many.json", {"name": "Many", "nodes": nodes}), "--nodes", NODES, rows=10)
    assert "50 of 50 nodes" in shown.screen[0]
    assert any("✘ n40" in line for line in shown.screen)
    assert "└─ 43 more: 43 completed" in shown.screen


def test_colours_are_used_unless_no_color_is_set(flow: Flow) -> None:
    file = mixed(flow)
    assert {"31", "32"} <= show(flow, "run", file, "--nodes", NODES).colours
    quiet = show(flow, "run", file, "--nodes", NODES, NO_COLOR="1")
    assert quiet.colours == set()
    assert any("✔ wait" in line for line in quiet.screen)


def test_a_dumb_terminal_gets_plain_lines(flow: Flow) -> None:
    shown = show(flow, "run", mixed(flow), "--nodes", NODES, TERM="dumb")
    assert "\x1b" not in shown.written
    assert "say: DEBUG: over here" in shown.screen


def test_a_terminal_without_unicode_gets_letters(flow: Flow) -> None:
    shown = show(flow, "run", mixed(flow), "--nodes", NODES, PYTHONIOENCODING="ascii")
    assert any(re.match(r"\|- \+ wait +completed", line) for line in shown.screen)
    assert any(re.match(r"`- x door +failed", line) for line in shown.screen)


def test_what_a_node_says_cannot_steer_the_terminal(flow: Flow) -> None:
    file = flow.write("evil.json", chain(node("talk", "local.talk", text="a\x1b[2Jb\x9b2Jc")))
    shown = show(flow, "run", file, "--nodes", NODES)
    assert "\x1b[2J" not in shown.written
    assert "\x9b" not in shown.written
    assert any(r"a\x1b[2Jb\x9b2Jc" in line for line in shown.screen)


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ("one\r\ntwo\r\n", ["one", "two"]),
        ("one\r\ntwo\r\x1b[2K\x1b[1A\x1b[2Knew", ["new"]),
        ("\x1b[31mred\x1b[0m!", ["red!"]),
        ("abc\rx", ["xbc"]),
        ("four" + "\r\n" + "five!\r\n", ["four", "five", "!"]),
    ],
)
def test_the_screen_of_these_tests_does_what_a_terminal_does(written: str, lines: list[str]) -> None:
    assert screen_of(written, 4) == lines
