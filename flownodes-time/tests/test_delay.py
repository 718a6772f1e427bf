"""time.delay waits by the runtime's clock and hands everything on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flowcore.errors import WorkflowInvalid
from flowcore.values import thaw
from flownodes_time.delay import Delay
from flowruntime import Runtime
from flowruntime.registry import check_catalog

from tests.attempts import attempt, node_type_of


@pytest.mark.parametrize(("config", "seconds"), [({"delay_ms": 250}, 0.25), ({}, 1.0), ({"delay_ms": 0}, 0.0)])
async def test_the_node_waits_as_long_as_its_config_says(config: dict[str, Any], seconds: float) -> None:
    done = await attempt(Delay, {"a": 1}, config)
    (wait,) = done.waits
    assert wait.until == datetime.fromtimestamp(done.now_us() / 1_000_000, UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize("delay_ms", [31_536_000_001, 1e18, 1e300])
async def test_a_delay_of_more_than_a_year_is_refused_before_anything_runs(delay_ms: float) -> None:
    node = {"id": "d", "node_type": "time.delay", "config": {"delay_ms": delay_ms}}
    async with Runtime() as runtime:
        with pytest.raises(WorkflowInvalid, match="greater than the maximum of 31536000000"):
            await runtime.run({"name": "w", "nodes": [node]})
        node["config"] = {"delay_ms": "${{ input.delay_ms }}"}
        result = await runtime.run({"name": "w", "nodes": [node]}, {"delay_ms": delay_ms})
    assert result.error is not None
    assert result.error["code"] == "config.schema"


async def test_everything_comes_out_under_its_own_name() -> None:
    inputs = {"a": [1], "delay_ms": 5, "ctx": None, "odd name": {}}
    done = await attempt(Delay, inputs, {"delay_ms": 1})
    assert done.outputs == inputs


async def test_every_example_gives_what_it_says() -> None:
    node_type = node_type_of(Delay)
    assert node_type.examples
    for example in map(thaw, node_type.examples):
        done = await attempt(Delay, example["inputs"], example["config"])
        assert done.outputs == example["outputs"]


def test_any_port_is_passed_through() -> None:
    node_type = node_type_of(Delay)
    assert node_type.inputs.rule == node_type.outputs.rule == "any"
    assert node_type.outputs.passthrough


def test_the_committed_catalog_is_what_the_code_says() -> None:
    assert check_catalog(Path(__file__).parents[1]) == []
