"""Expressions: the `${{ … }}` of documents and the bare JMESPath fields of nodes, compiled once."""

from flowruntime.expressions.compiling import (
    BARE_ROOTS,
    CONFIG_ROOTS,
    FIXED_INPUT_ROOTS,
    NO_PLACES,
    OUTPUT_ROOTS,
    STATIC_ROOTS,
    CompiledValue,
    Places,
    Steps,
    compile_expression,
    compile_value,
    has_expression,
)
from flowruntime.expressions.parsing import ExpressionError
from flowruntime.expressions.templates import OPEN

__all__ = [
    "BARE_ROOTS",
    "CONFIG_ROOTS",
    "FIXED_INPUT_ROOTS",
    "NO_PLACES",
    "OPEN",
    "OUTPUT_ROOTS",
    "STATIC_ROOTS",
    "CompiledValue",
    "ExpressionError",
    "Places",
    "Steps",
    "compile_expression",
    "compile_value",
    "has_expression",
]
