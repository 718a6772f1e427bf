"""What a function of expressions is: its name, the types of its arguments, and what it may know of the node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from flowcore.events import Path
from flowcore.executions import idempotency_key
from flowcore.values import Value

__all__ = ["MOMENT", "Call", "ExpressionFunction", "FunctionError", "JmesType", "Moment"]

#: A type as JMESPath names it; `array-string` is an array of strings.
JmesType: TypeAlias = Literal[
    "array", "array-number", "array-string", "boolean", "expref", "null", "number", "object", "string"
]


class FunctionError(Exception):
    """A function cannot give a value: why, as the rest of a sentence that begins with its name, and what to do.

    Neither may show a value: it may be a secret.
    """

    def __init__(self, reason: str, remedy: str = "Check the values it is given.") -> None:
        self.reason = reason
        self.remedy = remedy
        super().__init__(reason)


class _MomentRoot:
    """The key under which roots carry a Moment: no text, so no expression can name it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MOMENT"


MOMENT: Final = _MomentRoot()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What `now()` and `uuid()` answer from: the same in every attempt of a node.

    `now_us` is the time of the node's first start in microseconds since the epoch; the others name the node. For the
    outputs of a workflow they are its start and a `node_id` of `""`.
    """

    now_us: int
    execution_id: str
    path: Path
    node_id: str

    @property
    def key(self) -> str:
        """The node's idempotency key."""
        return idempotency_key(self.execution_id, self.path, self.node_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a function. `place` is different for each call of an expression, and the same in every attempt."""

    place: str
    given: Moment | None

    @property
    def moment(self) -> Moment:
        """Which node calls, and when it began. Raises FunctionError where no node does."""
        if self.given is None:
            raise FunctionError(
                "has no time and no node to answer from here",
                "Use it in ${{ }} in a field that is resolved for each attempt, and hand the result on.",
            )
        return self.given


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpressionFunction:
    """A function that expressions can call. It must give the same for the same arguments, quickly and without effects.

    `function` gets the arguments by position and gives a value, or raises FunctionError. Its arguments are checked
    against `arguments` first, by JMESPath's own rules: one tuple of types each, an empty one for any. `null` is
    refused unless it is among them.

    >>> ExpressionFunction(name="twice", function=lambda n: 2 * n, arguments=(("number",),)).usage
    'twice(number)'
    """

    name: str
    function: Callable[..., Value]
    arguments: tuple[tuple[JmesType, ...], ...] = ()
    #: How many of the last arguments may be left out.
    optional: int = 0
    #: One sentence for lists of functions.
    description: str = ""
    #: Whether the function gets a Call before its arguments.
    takes_call: bool = False
    #: Whether arguments are handed on as functions without parameters, to be evaluated only when they are called.
    is_lazy: bool = False
    #: How many characters or elements the result will have, from the arguments; needed where that may be more than
    #: they have themselves, so that it is refused before it is made.
    size: Callable[..., int] | None = None
    #: How many steps a call takes beyond those of going through arguments and result, from the arguments; needed where
    #: it makes many small values, or works for long.
    steps: Callable[..., int] | None = None

    @property
    def signature(self) -> tuple[dict[str, Any], ...]:
        """The arguments as jmespath writes them."""
        return tuple({"types": list(types)} for types in self.arguments)

    @property
    def usage(self) -> str:
        """How it is written, with the types of its arguments; those that may be left out in brackets."""
        words = [" or ".join(types) or "any" for types in self.arguments]
        needed = len(words) - self.optional
        shown = ", ".join(words[:needed])
        for word in words[needed:]:
            shown += f"[, {word}]" if shown else f"[{word}]"
        return f"{self.name}({shown})"
