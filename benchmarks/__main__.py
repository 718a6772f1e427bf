"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.profiling import SHAPES, profile, profile_to_text
from benchmarks.report import to_json, to_text
from benchmarks.soak import soak, soak_to_json, soak_to_text
from benchmarks.suite import BENCHMARKS, FULL, QUICK, measure
from benchmarks.surroundings import surroundings

_SOAK_RUNS = 100_000
_SOAK_RUNS_QUICK = 20_000


def main(words: list[str] | None = None) -> int:
    """Measure what the words ask for, and print it; without a command the table."""
    given = sys.argv[1:] if words is None else words
    if not given or (given[0].startswith("-") and given[0] not in {"-h", "--help"}):
        given = ["table", *given]
    options = _parser().parse_args(given)
    match options.command:
        case "soak":
            steps = asyncio.run(soak(options.runs or (_SOAK_RUNS_QUICK if options.quick else _SOAK_RUNS)))
            _write(soak_to_text(steps), soak_to_json(steps), options.json)
        case "profile":
            found = asyncio.run(profile(options.shape, options.seconds, options.rows))
            _write(profile_to_text(found), found, options.json)
        case _:
            load = os.getloadavg()[0]
            scale = QUICK if options.quick else FULL
            scale = replace(scale, rounds=options.rounds or scale.rounds, waiting=options.waiting or scale.waiting)
            rows = asyncio.run(measure(options.only or list(BENCHMARKS), scale))
            about = surroundings(load)
            _write(to_text(rows, about), to_json(rows, about), options.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", metavar="FILE", help="write JSON there, `-` is stdout; the table is left out then")
    quick = argparse.ArgumentParser(add_help=False)
    quick.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that it works: the figures mean nothing"
    )
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", title="commands, `table` when there is none"
    )
    table = commands.add_parser("table", parents=[common, quick], help="the engine against hand-written asyncio")
    table.add_argument("--only", nargs="+", choices=BENCHMARKS, metavar="NAME", help=f"of: {', '.join(BENCHMARKS)}")
    table.add_argument("--rounds", type=int, help=f"turns of each side ({FULL.rounds})")
    table.add_argument("--waiting", type=int, metavar="COUNT", help=f"waiting executions ({FULL.waiting})")
    many = commands.add_parser("soak", parents=[common, quick], help="memory and tasks over very many runs")
    many.add_argument("--runs", type=int, help=f"how many ({_SOAK_RUNS})")
    places = commands.add_parser("profile", parents=[common], help="where the time goes, by function")
    places.add_argument("shape", choices=SHAPES)
    places.add_argument("--seconds", type=float, default=10, help="CPU time to sample (10)")
    places.add_argument("--rows", type=int, default=15, help="how many functions (15)")
    return parser


def _write(text: str, data: dict[str, Any], json_file: str | None) -> None:
    if json_file is None:
        print(text)
    elif json_file == "-":
        print(json.dumps(data, indent=2))
    else:
        Path(json_file).write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
