"""The functions of expressions: JMESPath's own, taking what documents and nodes hand in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jmespath.functions import Functions

__all__ = ["ExpressionFunctions"]


class ExpressionFunctions(Functions):
    """JMESPath judges the type of an argument by the name of its class, and knows `dict` and `list` only."""

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        """Call with plain objects and arrays: documents are frozen, and nodes may give subclasses."""
        return super().call_function(function_name, [_plain(argument) for argument in resolved_args])


def _plain(value: Any) -> Any:
    for kind in (dict, list):
        if isinstance(value, kind) and type(value) is not kind:
            return kind(value)
    return value
