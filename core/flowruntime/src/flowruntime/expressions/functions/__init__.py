"""The functions of expressions: JMESPath's own, those of Flownodes, and those that plugins add."""

from flowruntime.expressions.functions.known import (
    check_call,
    find_function,
    known_functions,
)

__all__ = ["check_call", "find_function", "known_functions"]
