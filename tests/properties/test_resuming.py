"""Executions whose process is gone in the middle: taken up from any event on, they end as the rules say."""

from __future__ import annotations

from collections import Counter
from typing import Any

import anyio
import pytest
from flowcore.events import NodeInterrupted, NodeStarted
from flowcore.executions import Execution
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.properties import resumed_nested
from tests.properties import troubles as troubled
from tests.properties.nested_model import Undetermined, expected_outputs
from tests.properties.random_nested import Nested, nested
from tests.properties.random_nested import play as play_nested
from tests.properties.resumed_nested import check_resumed_shape, steadily
from tests.properties.resumed_referee import ResumedReferee, remembered
from tests.properties.resuming import Happening, resume
from tests.properties.troubles import Played, Trouble, play, troubles

#: For so long nobody ran it.
GAPS_US = (0, 1, 300_000, 4_000_000, 86_400_000_000)
HAPPENINGS = st.builds(
    Happening, st.sampled_from([0, 1000, 300_000, 2_500_000, 8_000_000]), st.sampled_from([None, "one", "two", "two"])
)


def take_up(trouble: Trouble, played: Played, cut: int, gap_us: int = 0, happenings: Any = ()) -> Played:
    """What comes of the first events of a log."""
    log = played.log[:cut]
    before = Played(log=log, happened=remembered(log, played.happened) or [])
    for event in log:
        if type(event).__name__ == "NodeEvent" and event.event_type == "Info":
            seen = before.seen.setdefault(event.node_id, [])
            call = int(event.content["message"].split()[1])
            seen.append(
                next(one for one in played.seen[event.node_id] if (one.attempt, one.call) == (event.attempt, call))
            )
    troubled._PLAYING.append((trouble, before))
    try:
        resumed = anyio.run(
            lambda: resume(
                played.result.execution_id,
                trouble.plan().workflow,
                log,
                registry=troubled.REGISTRY,
                happenings=happenings,
                gap_us=gap_us,
                seed=trouble.seed,
            )
        )
    finally:
        troubled._PLAYING.pop()
    return Played(resumed.log, before.seen, before.happened + resumed.happened, resumed.result)


@settings(deadline=None)
@given(troubles(), st.data())
def test_from_any_event_on_every_event_is_what_the_rules_ask_for(trouble: Trouble, data: st.DataObject) -> None:
    played = play(trouble)
    for _ in range(data.draw(st.integers(1, 3))):
        cut = data.draw(st.integers(1, len(played.log) - 1))
        assume(remembered(played.log[:cut], played.happened) is not None)
        gap_us = data.draw(st.sampled_from(GAPS_US))
        happenings = data.draw(st.lists(HAPPENINGS, max_size=2))
        played = take_up(trouble, played, cut, gap_us, happenings)
        ResumedReferee(trouble, played).check()
        result = played.result
        assert Execution.fold(result.execution_id, played.log).result(result.total_nodes) == result


@settings(deadline=None)
@given(troubles(), st.data())
def test_the_referee_refuses_a_log_that_does_not_say_what_was_interrupted(
    trouble: Trouble, data: st.DataObject
) -> None:
    played = play(trouble)
    cut = data.draw(st.integers(1, len(played.log) - 1))
    assume(remembered(played.log[:cut], played.happened) is not None)
    played = take_up(trouble, played, cut, 0, ())
    missing = next((event for event in played.log if isinstance(event, NodeInterrupted)), None)
    assume(missing is not None)
    rest = [event for event in played.log if event is not missing]
    played.log = [event._replace(seq=seq) for seq, event in enumerate(rest, start=1)]
    with pytest.raises((AssertionError, LookupError, StopIteration)):
        ResumedReferee(trouble, played).check()


@settings(max_examples=50, deadline=None)
@given(troubles(), st.data())
def test_what_must_not_be_repeated_never_begins_twice(trouble: Trouble, data: st.DataObject) -> None:
    once = {given["id"] for given in trouble.document["nodes"] if data.draw(st.booleans())}
    for given_node in trouble.document["nodes"]:
        if given_node["id"] in once:
            given_node["delivery"] = "at_most_once"
    played = play(trouble)
    for _ in range(data.draw(st.integers(1, 3))):
        played = take_up(trouble, played, data.draw(st.integers(1, len(played.log) - 1)))
        started = Counter(event.node_id for event in played.log if isinstance(event, NodeStarted))
        assert all(started[node_id] <= 1 for node_id in once)
        result = played.result
        assert Execution.fold(result.execution_id, played.log).result(result.total_nodes) == result


@settings(max_examples=40, deadline=None)
@given(nested(), st.data())
def test_whatever_is_nested_goes_on_from_any_event_in_order_and_within_its_limits(
    trouble: Nested, data: st.DataObject
) -> None:
    played = play_nested(trouble)
    for _ in range(data.draw(st.integers(1, 3))):
        cut = data.draw(st.integers(1, len(played.log) - 1))
        played = resumed_nested.take_up(trouble, played, cut, gap_us=data.draw(st.sampled_from(GAPS_US)))
        check_resumed_shape(trouble, played)
        result = played.result
        assert Execution.fold(result.execution_id, played.log).result(result.total_nodes) == result


@settings(max_examples=40, deadline=None)
@given(nested(), st.data())
def test_what_no_timing_decides_comes_to_the_same_whenever_its_process_is_gone(
    trouble: Nested, data: st.DataObject
) -> None:
    with steadily():
        try:
            status, outputs = expected_outputs(trouble)
        except Undetermined:
            assume(False)
        played = play_nested(trouble)
        for _ in range(data.draw(st.integers(1, 3))):
            cut = data.draw(st.integers(1, len(played.log) - 1))
            played = resumed_nested.take_up(trouble, played, cut, gap_us=data.draw(st.sampled_from(GAPS_US)))
            assert (played.result.status, _named(played.result.outputs)) == (status, outputs)


def _named(value: Any) -> Any:
    """Errors by the words that the model has for them: an error object, and the indexes of a loop's errors."""
    if isinstance(value, list):
        if value and all(isinstance(one, dict) and one.keys() == {"index", "error"} for one in value):
            return [one["index"] for one in value]
        return [_named(one) for one in value]
    if isinstance(value, dict):
        if "retryable" in value:
            return "error"
        return {key: _named(one) for key, one in value.items()}
    return value
