"""Which functions there are, and whether a call of one is written right.

Of functions with one name JMESPath's own counts, then that of Flownodes, then that of the plugin that was loaded first.
Plugins are loaded only when an expression names a function that nobody else has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, get_args

from flowcore.packs import PackProblem
from flowcore.values import did_you_mean
from jmespath.functions import Functions

from flowruntime.authoring.functions import ExpressionFunction, JmesType
from flowruntime.expressions.parsing import ExpressionError

if TYPE_CHECKING:
    from flowruntime.hooks import Hooks

__all__ = ["check_call", "collect_functions", "find_function", "known_functions"]

#: What jmespath says of its own functions: `{"function", "signature"}` by name.
_JMESPATH: Final[Mapping[str, Any]] = Functions.FUNCTION_TABLE
_TYPES: Final[tuple[str, ...]] = get_args(JmesType)


def find_function(name: str) -> ExpressionFunction | None:
    """The function of that name which Flownodes or a plugin adds to those of JMESPath."""
    return _own().get(name) or _added()[0].get(name)


def known_functions() -> dict[str, str]:
    """How each function is written, by name: `{"trim": "trim(string)"}`."""
    usages = {name: _jmespath_usage(name) for name in _JMESPATH}
    usages |= {name: function.usage for name, function in {**_added()[0], **_own()}.items()}
    return dict(sorted(usages.items()))


def check_call(name: str, arguments: Sequence[Any]) -> None:
    """Raise ExpressionError unless there is such a function that takes such arguments, given as parts of a tree."""
    if name in _JMESPATH:
        signature: Sequence[Any] = _JMESPATH[name]["signature"]
        least, most = len(signature), None if signature[-1].get("variadic", False) else len(signature)
    else:
        function = find_function(name)
        if function is None:
            raise ExpressionError(
                f"There is no function {name!r}.",
                code="expression.function",
                remedy=did_you_mean(name, known_functions()) or f"The functions are {', '.join(known_functions())}.",
            )
        signature = function.signature
        least, most = len(signature) - function.optional, len(signature)
    if len(arguments) < least or (most is not None and len(arguments) > most):
        raise ExpressionError(
            f"The function {name!r} takes {_number(least, most)}, not {len(arguments)}.",
            code="expression.function",
            remedy=f"Write {known_functions()[name]}.",
        )
    for place, argument in enumerate(arguments):
        given = argument["type"] == "expref"
        wanted = "expref" in signature[min(place, len(signature) - 1)]["types"]
        if given is not wanted:
            what = "must be an expression" if wanted else "is a value, not an expression"
            raise ExpressionError(
                f"Argument {place + 1} of the function {name!r} {what}.",
                code="expression.function",
                remedy=f"Write it {'with' if wanted else 'without'} a & in front.",
            )


def _number(least: int, most: int | None) -> str:
    if most is None:
        wanted = f"at least {least}"
    elif least == most:
        wanted = str(least) if most else "no"
    else:
        wanted = f"{least} to {most}"
    return f"{wanted} {'argument' if (most or least) == 1 else 'arguments'}"


def _jmespath_usage(name: str) -> str:
    words = [
        "&expression" if "expref" in part["types"] else " or ".join(part["types"]) or "any"
        for part in _JMESPATH[name]["signature"]
    ]
    more = ", …" if _JMESPATH[name]["signature"][-1].get("variadic", False) else ""
    return f"{name}({', '.join(words)}{more})"


@cache
def _own() -> dict[str, ExpressionFunction]:
    from flowruntime.expressions.functions import own

    return {function.name: function for function in own.expression_functions()}


@cache
def _added() -> tuple[dict[str, ExpressionFunction], list[PackProblem]]:
    from flowruntime.hooks import installed_hooks

    hooks = installed_hooks()
    functions, problems = collect_functions(hooks)
    hooks.problems += problems  # for whoever asks the registry what is wrong
    return functions, problems


def collect_functions(hooks: Hooks) -> tuple[dict[str, ExpressionFunction], list[PackProblem]]:
    """The functions of plugins by name, and what is wrong with those that are refused. Never raises."""
    functions: dict[str, ExpressionFunction] = {}
    owners = dict.fromkeys(_JMESPATH, "JMESPath") | dict.fromkeys(_own(), "Flownodes")
    problems: list[PackProblem] = []
    for distribution, function in hooks.each("expression_functions"):
        if not isinstance(function, ExpressionFunction):
            cause = f"Its hook 'expression_functions' gives a {type(function).__name__} for a function."
            remedy = "Its author must return a list of ExpressionFunction."
            problems.append(_problem(distribution, "function", cause, remedy))
        elif not _is_name(function.name):
            cause = f"The name of its function {function.name!r} cannot be written in an expression."
            remedy = "Its author must use letters, digits and _ alone."
            problems.append(_problem(distribution, "name", cause, remedy))
        elif (fault := hooks.guarded(distribution, f"Its function {function.name!r}", partial(_fault, function))) != "":
            if fault is not None:
                cause = f"Its function {function.name!r} {fault}."
                remedy = "Its author must declare it as ExpressionFunction says."
                problems.append(_problem(distribution, "function", cause, remedy))
        elif function.name in owners:
            cause = f"Its function {function.name!r} is not used: {owners[function.name]} has one of that name."
            remedy = "Its author must choose another name."
            problems.append(_problem(distribution, "conflict", cause, remedy))
        else:
            functions[function.name] = function
            owners[function.name] = distribution
    return functions, problems


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier() and name.isascii()


def _fault(function: Any) -> str:
    """What is wrong with the declaration, as the rest of a sentence; nothing mostly. It is a stranger's."""
    arguments = function.arguments
    for field in ("function", "size", "steps"):
        given = getattr(function, field)
        if not (callable(given) or (given is None and field != "function")):
            return f"has a `{field}` that cannot be called"
    if not isinstance(arguments, tuple | list) or not all(isinstance(types, tuple | list) for types in arguments):
        return 'has `arguments` that are no tuples of types, one for each: (("string",), ("number", "null"))'
    if unknown := [kind for types in arguments for kind in types if kind not in _TYPES]:
        return f"has an argument of the type {unknown[0]!r}; the types are {', '.join(_TYPES)}"
    if not (isinstance(function.optional, int) and 0 <= function.optional <= len(arguments)):
        return f"says that {function.optional!r} of its {len(arguments)} arguments may be left out"
    return ""


def _problem(distribution: str, fault: str, cause: str, remedy: str) -> PackProblem:
    return PackProblem(pack=distribution, stage="import", code=f"hooks.{fault}", message=cause, remedy=remedy)
