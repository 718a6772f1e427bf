"""Resolves what an attempt is given: inputs from everywhere they may come from, and a config with expressions."""

from __future__ import annotations

from typing import Any

from flowcore.errors import FatalNodeError
from flowcore.values import Value

from flowruntime.authoring import Handler
from flowruntime.authoring.functions import MOMENT
from flowruntime.engine.attempt.run import ExecutionRun
from flowruntime.engine.attempt.secret_texts import SecretTexts
from flowruntime.engine.inputs import complete_inputs, referenced_nodes
from flowruntime.plan.model import PlannedNode
from flowruntime.plan.schemas import CompiledSchema

__all__ = ["resolve"]


def resolve(  # noqa: PLR0917 - called for attempts only, in one place
    node: PlannedNode, attempt: int, handler: Handler, wired: dict[str, Value], config: Any, run: ExecutionRun
) -> tuple[dict[str, Value], Any]:
    """Inputs and config of an attempt whose node has more than wires and a constant config.

    `config` is the constant config as the node gets it, None when it holds expressions. Raises NodeError.
    """
    roots: dict[Any, Any] = {}
    if node.fixed is not None or node.static_config is None:
        roots = {
            "input": run.inputs,
            "vars": run.workflow.vars,
            "run": {**run.info, "attempt": attempt},
            "secrets": SecretTexts(run.secrets),
            MOMENT: run.moment(node.index),
        }
        if node.referenced:
            machine = run.machine
            roots["nodes"] = referenced_nodes(node.referenced, machine.outputs, machine.completed_flags)
    inputs = complete_inputs(node, wired, run.inputs, roots)
    for port, schema in node.checked:
        if port in inputs:
            _check_input(port, inputs[port], schema)
    if node.static_config is None:
        roots["inputs"] = inputs
        resolved = node.config.resolve(roots)
        if node.check_config is not None:
            node.check_config(resolved)
        config = resolved if handler.read_config is None else handler.read_config(resolved)
    return inputs, config


def _check_input(port: str, value: Value, schema: CompiledSchema) -> None:
    for problem in schema.problems(value, "", "input", whose=f" of port {port!r}"):
        raise FatalNodeError(
            problem.message,
            code=problem.code,
            remedy="Convert the value on its way, with transform.jmespath or an expression in the node's inputs.",
        )
