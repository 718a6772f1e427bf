"""`flow eval EXPR`: what an expression gives for some data."""

from __future__ import annotations

import argparse
import secrets
import time

from flowcore.errors import Problem
from flowcore.values import Value, read_json, write_json
from flowruntime.authoring.functions import Moment
from flowruntime.expressions.evaluating import EvaluationFailed
from flowruntime.expressions.once import evaluate_once
from flowruntime.expressions.parsing import ExpressionError
from flowruntime.registry import Registry

from flowcli.errors import tell
from flowcli.exit_codes import SUCCESS
from flowcli.parser import Parser
from flowcli.sources import read_source
from flowcli.terminal import printable, say, write_data
from flowcli.usage import UsageError

__all__ = ["add_arguments", "run"]

#: How much of a long expression is shown on each side of the place that is wrong.
_AROUND = 40


def add_arguments(parser: Parser) -> None:
    """Add what `flow eval` takes."""
    parser.add_argument("expression", metavar="EXPR", help="JMESPath over the data, or a text with ${{ input.… }}")
    parser.add_argument("--input", metavar="JSON|@FILE", help="the data; without it an empty object")
    parser.add_argument("--json", action="store_true", help='write {"value": …}')


def run(arguments: argparse.Namespace) -> int:
    """Write the value as JSON. Raises UsageError for what is no expression, EvaluationFailed when it fails."""
    text: str = arguments.expression
    data = _read_data(arguments.input)
    moment = Moment(now_us=time.time_ns() // 1000, execution_id=secrets.token_hex(16), path=(), node_id="")
    Registry.discover()  # says which plugins may load, should the expression need one
    warnings: list[Problem] = []
    try:
        value = evaluate_once(text, data, moment, problems=warnings)
    except ExpressionError as fault:
        _point_at(text, fault.column)
        raise UsageError(fault.message, code=fault.code, remedy=fault.remedy) from None
    except EvaluationFailed as failed:
        _point_at(text, failed.column)
        raise
    finally:
        for warning in warnings:
            tell("warning", "yellow", warning.message, code=warning.code, remedy=warning.remedy)
    write_data(write_json({"value": value} if arguments.json else value, indent=2) + "\n")
    return SUCCESS


def _read_data(given: str | None) -> Value:
    if given is None:
        return {}
    parsed = read_json(read_source(given[1:], what="data") if given.startswith("@") else given)
    for problem in parsed.problems:
        place = f" at {problem.pointer}" if problem.pointer else ""
        raise UsageError(
            f"What --input gives cannot be used{place}: {problem.message}", code=problem.code, remedy=problem.remedy
        )
    return parsed.value


def _point_at(text: str, column: int | None) -> None:
    """Show the place that is wrong, when it is known."""
    if column is None:
        return
    begin = max(0, column - _AROUND)
    before = printable(" ".join(text[begin:column].splitlines()))
    after = printable(" ".join(text[column : column + _AROUND].splitlines()))
    say(f"  {before}{after}\n  {' ' * len(before)}^")
