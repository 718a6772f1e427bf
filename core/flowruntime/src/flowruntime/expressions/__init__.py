"""Expressions: the `${{ … }}` of documents and the bare JMESPath fields of nodes, compiled once."""

from flowruntime.expressions.analysis import ExpressionError
from flowruntime.expressions.compiling import (
    BARE_ROOTS,
    CONFIG_ROOTS,
    FIXED_INPUT_ROOTS,
    OUTPUT_ROOTS,
    STATIC_ROOTS,
    CompiledValue,
    Places,
    compile_expression,
    compile_value,
)

__all__ = [
    "BARE_ROOTS",
    "CONFIG_ROOTS",
    "FIXED_INPUT_ROOTS",
    "OUTPUT_ROOTS",
    "STATIC_ROOTS",
    "CompiledValue",
    "ExpressionError",
    "Places",
    "compile_expression",
    "compile_value",
]
