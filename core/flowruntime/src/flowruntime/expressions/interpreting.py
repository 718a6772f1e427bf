"""Walks the tree of an expression as jmespath does, within limits, with the functions that Flownodes adds.

Where it gives something else than `jmespath.search`: an ordering of a text and a number is null, as the specification
says, where jmespath raises TypeError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from flowcore.values import check_value
from jmespath.exceptions import JMESPathTypeError
from jmespath.functions import Functions
from jmespath.visitor import Options, TreeInterpreter

from flowruntime.authoring.functions import Call, ExpressionFunction, FunctionError, Moment
from flowruntime.expressions.functions import find_function
from flowruntime.expressions.functions.numbers import checked_number
from flowruntime.expressions.limits import Limits, Meter

__all__ = ["Evaluation", "WrongArgument"]

_FUNCTIONS: Final[Any] = Functions()
_TABLE: Final[Mapping[str, Any]] = Functions.FUNCTION_TABLE
_OPTIONS: Final = Options(custom_functions=_FUNCTIONS)

#: Functions of JMESPath that take as long for a large argument as for a small one.
_QUICK: Final = frozenset({"length", "not_null", "to_array", "type"})
#: Functions of JMESPath that make a list or an object.
_MAKING: Final = frozenset({"keys", "map", "merge", "reverse", "sort", "sort_by", "to_array", "values"})


class WrongArgument(Exception):  # noqa: N818 - it says what is wrong
    """An argument of a function has another type than it takes; `place` counts from 1, and is 0 for an only one."""

    def __init__(self, function: str, place: int, error: JMESPathTypeError) -> None:
        self.function = function
        self.place = place
        self.wanted: Sequence[str] = [str(kind) for kind in error.expected_types]
        self.got: str = error.actual_type
        super().__init__(function)


class Evaluation(TreeInterpreter):
    """One evaluation of one expression. `where` tells its place from that of the others of a node."""

    def __init__(self, limits: Limits, moment: Moment | None, where: str) -> None:
        super().__init__(_OPTIONS)
        self.meter = Meter(limits)
        self.moment = moment
        self.where = where
        #: The column of the innermost call that failed.
        self.failed_at: int | None = None
        self._calls = 0

    def visit(self, node: Any, value: Any) -> Any:
        """Evaluate a part of the tree, as one step. Raises LimitReached, and whatever functions raise."""
        meter = self.meter
        meter.steps_left -= 1
        if meter.steps_left < 0:
            raise meter.too_many_steps()
        return _METHODS[node["type"]](self, node, value)

    # --- what makes lists and objects ------------------------------------------------------------------------------

    def visit_projection(self, node: Any, value: Any) -> Any:
        return self._weighed(super().visit_projection(node, value))

    def visit_filter_projection(self, node: Any, value: Any) -> Any:
        return self._weighed(super().visit_filter_projection(node, value))

    def visit_value_projection(self, node: Any, value: Any) -> Any:
        return self._weighed(super().visit_value_projection(node, value))

    def visit_multi_select_list(self, node: Any, value: Any) -> Any:
        return self._weighed(super().visit_multi_select_list(node, value))

    def visit_multi_select_dict(self, node: Any, value: Any) -> Any:
        return self._weighed(super().visit_multi_select_dict(node, value))

    def visit_flatten(self, node: Any, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if not isinstance(base, list):
            return None
        self.meter.work(len(base))
        size = sum(len(element) if isinstance(element, list) else 1 for element in base)
        self.meter.room(size)
        self.meter.work(size)
        merged: list[Any] = []
        for element in base:
            if isinstance(element, list):
                merged.extend(element)
            else:
                merged.append(element)
        return self.meter.made(merged)

    def visit_slice(self, node: Any, value: Any) -> Any:
        if not isinstance(value, list):
            return None
        part = slice(*node["children"])
        size = len(range(*part.indices(len(value))))
        self.meter.room(size)
        self.meter.work(size)
        return self.meter.made(value[part])

    def _weighed(self, made: Any) -> Any:
        return None if made is None else self.meter.made(made)

    # --- what compares and calls -----------------------------------------------------------------------------------

    def visit_comparator(self, node: Any, value: Any) -> Any:
        left, right = (self.visit(child, value) for child in node["children"])
        if node["value"] in {"eq", "ne"}:
            self.meter.compare(left, right)
        elif not (_is_ordered(left) and _is_ordered(right) and isinstance(left, str) is isinstance(right, str)):
            return None
        return self.COMPARATOR_FUNC[node["value"]](left, right)

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        name = node["value"]
        try:
            if name in _TABLE:
                return self._call_jmespath(name, self._arguments(node, value))
            function = find_function(name)
            assert function is not None, name  # noqa: S101 - checked when the expression was compiled
            return self._call_added(function, node, value)
        except Exception:
            if self.failed_at is None:
                self.failed_at = node.get("column")
            raise

    def _arguments(self, node: Any, value: Any) -> list[Any]:
        # jmespath judges by the name of the class: documents are frozen, and nodes may give subclasses.
        return [_plain(self.visit(child, value)) for child in node["children"]]

    def _call_jmespath(self, name: str, arguments: list[Any]) -> Any:
        entry = _TABLE[name]
        self._check_types(name, entry["signature"], arguments)
        if name not in _QUICK:
            self._count(arguments)
        self._make_room(name, arguments)
        result = entry["function"](_FUNCTIONS, *arguments)
        if isinstance(result, str):
            if not any(result is argument for argument in arguments):
                self.meter.room(len(result))
                self.meter.work(len(result))
        elif isinstance(result, int | float):
            checked_number(result)
        elif name in _MAKING and not any(result is argument for argument in arguments):
            self.meter.made(result)
        return result

    def _make_room(self, name: str, arguments: list[Any]) -> None:
        """Refuse what would become too large, before it is made."""
        meter = self.meter
        match name, arguments:
            case "join", [separator, texts]:
                size = sum(map(len, texts)) + len(separator) * len(texts)
                meter.room(size)
                meter.work(size)
            case "to_string", [value] if not isinstance(value, str):
                size = meter.measure(value)
                meter.room(size)
                meter.work(size)
            case "merge", objects:
                meter.room(sum(map(len, objects)))
            case "contains", [subject, wanted] if isinstance(wanted, list | dict):
                meter.work(meter.measure(subject))
            case _, [first, *_] if name in {"keys", "reverse", "sort", "values"}:
                meter.room(len(first))
            case _:
                pass

    def _call_added(self, function: ExpressionFunction, node: Any, value: Any) -> Any:
        self._calls += 1
        arguments: list[Any]
        size: int | None = None
        #: What the arguments of a lazy function gave or raised: that is not the function's own doing.
        seen: list[Any] = []
        if function.is_lazy:
            arguments = [self._later(child, value, seen) for child in node["children"]]
        else:
            # The count is taken before the arguments are evaluated: each call gets its own.
            count = self._calls
            arguments = self._arguments(node, value)
            self._check_types(function.name, function.signature, arguments)
            self._count(arguments)
            if function.size is not None:
                size = _result_of(function.size, arguments)
                self.meter.room(size)
                self.meter.work(size)
            if function.steps is not None:
                self.meter.spend(_result_of(function.steps, arguments))
            if function.takes_call:
                arguments.insert(0, Call(place=f"{self.where}:{node.get('column')}:{count}", given=self.moment))
        result = _result_of(function.function, arguments, seen)
        if any(result is one for one in seen):
            return result
        check_value(result)
        if isinstance(result, list | dict):
            if size is None:
                self.meter.made(result)
            else:
                self.meter.weighs(result, size)
        elif isinstance(result, str):
            self.meter.room(len(result))
            self.meter.work(len(result))
        return result

    def _later(self, child: Any, value: Any, seen: list[Any]) -> Callable[[], Any]:
        def evaluate() -> Any:
            try:
                seen.append(_plain(self.visit(child, value)))
            except Exception as error:
                seen.append(error)
                raise
            return seen[-1]

        return evaluate

    def _count(self, arguments: Iterable[Any]) -> None:
        for argument in arguments:
            if isinstance(argument, str | list | dict):
                self.meter.work(len(argument))

    def _check_types(self, name: str, signature: Sequence[Any], arguments: Sequence[Any]) -> None:
        for place, argument in enumerate(arguments):
            types = signature[min(place, len(signature) - 1)]["types"]
            if types:
                try:
                    _FUNCTIONS._type_check_single(argument, types, name)  # noqa: SLF001 - JMESPath's own rules
                except JMESPathTypeError as error:
                    raise WrongArgument(name, place + 1 if len(arguments) > 1 else 0, error) from None


#: How each kind of part is evaluated.
_METHODS: Final[Mapping[str, Callable[[Evaluation, Any, Any], Any]]] = {
    name.removeprefix("visit_"): getattr(Evaluation, name) for name in dir(Evaluation) if name.startswith("visit_")
}


def _result_of(function: Callable[..., Any], arguments: list[Any], seen: Sequence[Any] = ()) -> Any:
    try:
        return function(*arguments)
    except (FunctionError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a plugin's function may raise anything, SystemExit too, and its text hold a value
        if any(error is one for one in seen):
            raise
        raise FunctionError(f"raised {type(error).__name__}") from None


def _is_ordered(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    for kind in (dict, list):
        if isinstance(value, kind) and type(value) is not kind:
            return kind(value)
    return value
