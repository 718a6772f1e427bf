"""Checks what an attempt gave: declared ports only, and values only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowcore.errors import FatalNodeError
from flowcore.values import NotAValue, Value, check_value, did_you_mean

from flowruntime.plan.model import PlannedNode

__all__ = ["check_outputs", "check_ports", "check_result"]

_SCALARS = frozenset({str, bool, type(None)})


def check_outputs(node: PlannedNode, outputs: Any, inputs: dict[str, Value]) -> dict[str, Value]:
    """The outputs as `{port: value}`. Raises FatalNodeError for anything else.

    A value that came in was checked when it was made; handing it on costs a comparison, whatever its size.
    """
    if type(outputs) is not dict:
        if not isinstance(outputs, Mapping):
            raise FatalNodeError(
                f"The node returned {_a(outputs)} where {{port: value}} is expected.",
                code="node.output_type",
                remedy="Return a dict of its output ports.",
            )
        outputs = dict(outputs)
    ports = node.output_ports
    for port, value in outputs.items():
        if ports is not None and port not in ports:
            raise _undeclared(node, port, ports)
        if type(value) in _SCALARS and (value is None or value is True or value is False or value.isascii()):
            continue
        for given in inputs.values():
            if given is value:
                break
        else:
            _check(value, port)
    if node.checked_outputs:
        _check_schemas(node, outputs)
    return outputs  # type: ignore[no-any-return]


def check_ports(node: PlannedNode, outputs: dict[str, Value]) -> None:
    """Check the ports alone, of outputs that are made of values. Raises FatalNodeError for an undeclared one."""
    ports = node.output_ports
    for port in outputs:
        if ports is not None and port not in ports:
            raise _undeclared(node, port, ports)
    if node.checked_outputs:
        _check_schemas(node, outputs)


def check_result(value: Value) -> None:
    """Check the value of the one port `result`. Raises FatalNodeError."""
    _check(value, "result")


def _check(value: Value, port: str) -> None:
    try:
        check_value(value)
    except NotAValue as error:
        where = f" at {error.pointer}" if error.pointer else ""
        raise FatalNodeError(
            f"The value of output port {port!r} cannot travel between nodes: {error}{where}.",
            code="node.output_value",
            remedy="Return JSON (null, booleans, numbers, strings, lists, dicts with string keys) or a Blob.",
        ) from None


def _check_schemas(node: PlannedNode, outputs: dict[str, Value]) -> None:
    for port, schema in node.checked_outputs:
        if port in outputs:
            for problem in schema.problems(outputs[port], "", "output", whose=f" of port {port!r}"):
                raise FatalNodeError(
                    f"The node returned what its port does not promise: {problem.message}",
                    code=problem.code,
                    remedy=f"Return what {node.type_id!r} declares, or correct what it declares.",
                )


def _undeclared(node: PlannedNode, port: Any, ports: frozenset[str]) -> FatalNodeError:
    known = ", ".join(map(repr, sorted(ports))) or "none"
    hint = did_you_mean(port, ports) if isinstance(port, str) else ""
    return FatalNodeError(
        f"The node returned the port {port!r}, which {node.type_id!r} does not declare (it declares {known}).",
        code="node.output_port",
        remedy=hint or "Declare the port, or return another.",
    )


def _a(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
