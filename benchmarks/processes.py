"""Rows on whole processes: what a command costs from its start to its end."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.child import Cost, cost_of
from benchmarks.measuring import Comparison, Scale, compare
from benchmarks.packs import install_packs
from benchmarks.rows import Row, Target

__all__ = ["measure_command_nodes", "measure_command_run"]

_DOCUMENT = {
    "name": "Three steps",
    "nodes": [
        {"id": "parse", "node_type": "transform.json_parse"},
        {"id": "sum", "node_type": "transform.jmespath", "config": {"expression": "sum(@)"}},
        {"id": "log", "node_type": "debug.log"},
    ],
    "connections": [
        {"from_node": "parse", "from_port": "parsed", "to_node": "sum", "to_port": "data"},
        {"from_node": "sum", "from_port": "result", "to_node": "log", "to_port": "message"},
    ],
}
_INPUTS = json.dumps({"json": "[1, 2, 3]"})
_BY_HAND = """
import asyncio, json, sys
async def parse(given):
    return json.loads(given["json"])
async def total(parsed):
    return sum(await parsed)
async def log(message):
    print("log: Info", await message, file=sys.stderr)
async def main():
    parsed = asyncio.create_task(parse(json.loads(sys.argv[1])))
    await asyncio.create_task(log(asyncio.create_task(total(parsed))))
asyncio.run(main())
"""
_MIB = 1024 * 1024


async def measure_command_run(scale: Scale) -> list[Row]:
    """`flow run` of three nodes against the same steps in a bare asyncio program."""
    ours, raw = _run_three_nodes(scale.rounds)
    cpu = compare([cost.cpu_seconds for cost in ours], [cost.cpu_seconds for cost in raw])
    peak = compare([cost.peak_bytes / _MIB for cost in ours], [cost.peak_bytes / _MIB for cost in raw])
    bare = "bare asyncio process"
    return [
        _cpu("flow run of 3 nodes, CPU", cpu, bare, Target(at_most=5)),
        Row(
            name="flow run of 3 nodes, peak memory",
            unit="MiB",
            ours=peak.ours,
            raw=peak.raw,
            ratio=peak.ratio,
            spread=peak.spread,
            against=bare,
            target=Target(of="ours", at_most=60),
        ),
    ]


async def measure_command_nodes(scale: Scale) -> list[Row]:
    """`flow nodes` with many packs installed, against an interpreter that does nothing."""
    packs, types = (2, 3) if scale.quick else (40, 12)
    with tempfile.TemporaryDirectory() as folder:
        installed, home = Path(folder, "site"), Path(folder, "home")
        install_packs(installed, packs, types)
        search_path = os.pathsep.join(filter(None, [str(installed), os.environ.get("PYTHONPATH")]))
        environment = {"PYTHONPATH": search_path, "FLOW_HOME": str(home)}

        def warm() -> Cost:
            return cost_of([*_flow(), "nodes"], environment)

        def cold() -> Cost:
            shutil.rmtree(home)
            return warm()

        def nothing() -> Cost:
            return cost_of([sys.executable, "-c", "pass"], environment)

        warm()
        ours, raw = _take_turns(warm, nothing, rounds=scale.rounds)
        ours_cold, raw_cold = _take_turns(cold, nothing, rounds=scale.rounds)
    name, empty = f"flow nodes, {packs} packs of {packs * types} types", "python -c pass"
    seconds = [[cost.cpu_seconds for cost in costs] for costs in (ours, raw, ours_cold, raw_cold)]
    return [
        _cpu(f"{name}, warm", compare(seconds[0], seconds[1]), empty, Target(at_most=4)),
        _cpu(f"{name}, cold", compare(seconds[2], seconds[3]), empty, Target(of="ours", at_most=300)),
    ]


def _run_three_nodes(rounds: int) -> tuple[list[Cost], list[Cost]]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "three.json")
        file.write_text(json.dumps(_DOCUMENT))
        flow = [*_flow(), "run", str(file), "--input", _INPUTS, "--json"]
        by_hand = [sys.executable, "-c", _BY_HAND, _INPUTS]
        return _take_turns(lambda: cost_of(flow, {"FLOW_HOME": folder}), lambda: cost_of(by_hand), rounds=rounds)


def _take_turns(ours: Callable[[], Cost], raw: Callable[[], Cost], *, rounds: int) -> tuple[list[Cost], list[Cost]]:
    ours()  # writes bytecode
    raw()
    turns = [(ours(), raw()) for _ in range(rounds)]
    return [turn[0] for turn in turns], [turn[1] for turn in turns]


def _flow() -> list[str]:
    """The `flow` that stands beside this interpreter."""
    installed = Path(sys.executable).with_name("flow")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "flowcli"]


def _cpu(name: str, found: Comparison, against: str, target: Target | None) -> Row:
    return Row(
        name=name,
        unit="ms",
        ours=found.ours * 1000,
        raw=found.raw * 1000,
        ratio=found.ratio,
        spread=found.spread,
        against=against,
        target=target,
    )
