"""What the engine gets to call: arguments in, `{port: value}` out."""

import asyncio
import dataclasses
import threading
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Annotated, Any, NotRequired, Self, TypedDict

import msgspec
import pytest
from flowcore.errors import FatalNodeError
from flowruntime.authoring import (
    Blob,
    Context,
    Expression,
    Handler,
    InstanceContext,
    Node,
    Port,
    Ports,
    Secret,
    definition_of,
    make_handler,
    node,
)


class Answer(TypedDict):
    text: str
    tags: NotRequired[set[str]]


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Box(msgspec.Struct):
    corner: Point
    label: str | None = None


class Limits(msgspec.Struct):
    most: int = 3
    when: Expression | None = None


class Model:
    """What pydantic's models can do, as far as it is used."""

    def __init__(self, n: int) -> None:
        self.n = n

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        return {"type": "object", "properties": {"n": {"type": "integer"}}}

    @classmethod
    def model_validate(cls, value: dict[str, Any]) -> Self:
        if value.get("n") == "secret":
            raise ModelError("n: not a number [input_value='secret']")
        return cls(value["n"])


class ModelError(ValueError):
    """Like pydantic's ValidationError."""

    def errors(self) -> list[dict[str, Any]]:
        return [{"loc": ("a", 0), "msg": "not a number", "input": "secret"}]


def handler_of(target: Any, config: Mapping[str, Any] | None = None) -> Handler:
    definition = definition_of(target)
    assert definition is not None
    return make_handler(definition, config or {})


def context(inputs: Mapping[str, Any] | None = None, config: Any = None) -> Context:
    run: Any = SimpleNamespace(execution_id="e-1")
    return Context(run, (), "n", 1, dict(inputs or {}), {} if config is None else config)


def call(target: Any, inputs: Mapping[str, Any] | None = None, config: Any = None) -> Any:
    """One attempt of a node that is no coroutine."""
    handler = handler_of(target)
    return handler.call(context(inputs, config))


# --- how it is called --------------------------------------------------------------------------------


def test_the_mode_follows_from_the_function_its_effects_and_blocking() -> None:
    def plain() -> None: ...
    async def coroutine() -> None: ...

    def mode(function: Any, **options: Any) -> str:
        function.__dict__.clear()
        return handler_of(node("a.b", **options)(function)).mode

    assert mode(coroutine) == "async"
    assert mode(coroutine, blocking=True) == "async"
    assert mode(plain) == "thread"
    assert mode(plain, effects="read") == "thread"
    assert mode(plain, effects="pure") == "inline"
    assert mode(plain, effects="pure", blocking=True) == "thread"
    assert mode(plain, blocking=False) == "inline"


def test_ports_and_config_are_given_by_name() -> None:
    @node
    def function(a: int, b: int = 10, *, c: int, d: int = 1000) -> list[int]:
        return [a, b, c, d]

    assert call(function, {"a": 1}, {"c": 100}) == {"result": [1, 10, 100, 1000]}
    assert call(function, {"b": 2, "a": 1}, {"d": 4, "c": 3}) == {"result": [1, 2, 3, 4]}


async def test_a_coroutine_is_awaited_for_its_outputs() -> None:
    @node
    async def function(a: int) -> Answer:
        await asyncio.sleep(0)
        return {"text": str(a)}

    assert await handler_of(function).call(context({"a": 1})) == {"text": "1"}


def test_the_context_is_handed_over() -> None:
    @node
    def function(a: int, ctx: Context, *, c: int = 0) -> str:
        return f"{ctx.node_id} {ctx.attempt} {ctx.inputs} {a} {c}"

    assert call(function, {"a": 1}, {"c": 2}) == {"result": "n 1 {'a': 1} 1 2"}


def test_the_inputs_of_the_context_are_not_touched() -> None:
    @node
    def function(ctx: Context, a: set[int], *, c: int = 0) -> bool:
        a.add(5)
        return ctx.inputs == {"a": [1]}

    assert call(function, {"a": [1]}, {"c": 2}) == {"result": True}


def test_open_keywords_get_the_ports_of_any_name() -> None:
    @node
    def function(**values: int) -> int:
        return sum(values.values())

    assert call(function, {"a": 1, "b": 2}) == {"result": 3}


@pytest.mark.parametrize("port", ["ctx", "level"])
def test_a_port_with_the_name_of_another_parameter_is_an_error(port: str) -> None:
    @node
    def function(ctx: Context, *, level: int = 1, **values: int) -> None: ...

    with pytest.raises(FatalNodeError) as caught:
        call(function, {port: 1})
    assert caught.value.code == "node.input_name"
    assert caught.value.message == (f"The node takes ports of any name but {port!r}, which is a parameter of its own.")


def test_values_are_converted_to_annotated_types_that_are_no_json() -> None:
    @node
    def function(tags: set[str], box: Box, *, token: Secret, limits: Limits | None = None) -> Any:
        return [sorted(tags), box.corner.x, token.reveal(), limits]

    given = {"tags": ["b", "a", "a"], "box": {"corner": {"x": 1}}}
    assert call(function, given, {"token": "hunter2"}) == {"result": [["a", "b"], 1, "hunter2", None]}
    assert call(function, given, {"token": "t", "limits": {"most": 5}})["result"][3] == Limits(most=5)


def test_values_of_plain_types_are_handed_over_as_they_are() -> None:
    @node
    def function(value: dict[str, Any], answer: Answer | None = None) -> dict[str, Any]:
        return value

    value = {"a": [1]}
    assert call(function, {"value": value})["result"] is value


def test_a_value_that_does_not_fit_its_type_fails_the_node_for_good() -> None:
    @node
    def function(n: Annotated[int, msgspec.Meta(ge=0)], file: Blob | None = None) -> None: ...

    with pytest.raises(FatalNodeError, match="The value of 'n' does not fit its declared type: Expected `int` >= 0"):
        call(function, {"n": -1})
    with pytest.raises(FatalNodeError, match="The value of 'file' does not fit its declared type"):
        call(function, {"n": 1, "file": "text"})
    assert call(function, {"n": 1, "file": Blob.from_bytes(b"x")}) == {}


def test_a_compiled_expression_is_handed_over_as_it_is() -> None:
    @node
    def function(ctx: Context, *, when: Expression | None = None) -> Any:
        return when

    expression = Expression("a", lambda root: root)
    assert call(function, config={"when": expression})["result"] is expression


# --- what it gives -----------------------------------------------------------------------------------


def test_outputs_come_from_what_the_annotation_says() -> None:
    @node
    def nothing() -> None: ...
    @node
    def value() -> int:
        return 5

    @node
    def missing_value() -> int | None:
        return None

    @node
    def ports() -> Answer:
        return {"text": "a", "tags": {"t"}}

    @node
    def fewer_ports() -> Answer:
        return {"text": "a"}

    @node
    def fields() -> Point:
        return Point(1, 2)

    @node
    def nested() -> Box:
        return Box(Point(1), "b")

    @node
    def many() -> list[Point]:
        return [Point(1)]

    assert call(nothing) == {}
    assert call(value) == {"result": 5}
    assert call(missing_value) == {"result": None}
    assert call(ports) == {"text": "a", "tags": ["t"]}
    assert call(fewer_ports) == {"text": "a"}
    assert call(fields) == {"x": 1, "y": 2}
    assert call(nested) == {"corner": {"x": 1, "y": 0}, "label": "b"}
    assert call(many) == {"result": [{"x": 1, "y": 0}]}


def test_ports_of_ones_own_are_named_by_what_is_returned() -> None:
    @node("a.split", outputs=[Port(name="low"), Port(name="high")])
    def split(n: int) -> dict[str, int] | None:
        return None if n == 0 else {"low" if n < 5 else "high": n}

    assert call(split, {"n": 1}) == {"low": 1}
    assert call(split, {"n": 7}) == {"high": 7}
    assert call(split, {"n": 0}) == {}


def test_ports_of_ones_own_may_come_as_fields() -> None:
    @node("a.point", outputs=[Port(name="x"), Port(name="y")])
    def point() -> Point:
        return Point(1)

    assert call(point) == {"x": 1, "y": 0}


def test_a_blob_travels_as_it_is() -> None:
    blob = Blob.from_bytes(b"x")

    @node
    def function() -> Blob:
        return blob

    assert call(function)["result"] is blob


def test_what_the_function_raises_comes_out() -> None:
    @node
    def function() -> None:
        raise KeyError("a")

    with pytest.raises(KeyError):
        call(function)


# --- config classes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [Limits, Point])
def test_a_config_class_makes_the_config_of_the_context(config: type) -> None:
    @node(config=config)
    def function(ctx: Context) -> Any:
        return ctx.config

    read = handler_of(function).read_config
    assert read is not None
    made = read({"most": 5} if config is Limits else {"x": 5})
    assert made == (Limits(most=5) if config is Limits else Point(5))
    assert call(function, config=made)["result"] is made


def test_a_config_class_takes_compiled_expressions() -> None:
    @node(config=Limits)
    def function() -> None: ...

    expression = Expression("a", lambda root: root)
    read = handler_of(function).read_config
    assert read is not None
    assert read({"when": expression}).when is expression


def test_a_config_that_the_class_refuses_fails_the_node_for_good() -> None:
    @node(config=Limits)
    def struct() -> None: ...
    @node(config=Model)
    def model() -> None: ...

    read = handler_of(struct).read_config
    assert read is not None
    with pytest.raises(FatalNodeError, match="The value of 'config' does not fit"):
        read({"most": "many"})
    read = handler_of(model).read_config
    assert read is not None
    assert read({"n": 5}).n == 5
    with pytest.raises(FatalNodeError) as caught:
        read({"n": "secret"})
    assert caught.value.message == "The config does not fit Model: a.0: not a number."
    assert "secret" not in repr(caught.value.__cause__)


def test_without_a_config_class_the_config_is_the_object_itself() -> None:
    @node(config={"type": "object"})
    def function() -> None: ...

    assert handler_of(function).read_config is None


# --- classes -----------------------------------------------------------------------------------------


@node("a.counter", inputs=Ports(rule="any"), outputs=[Port(name="count")], config=Limits)
class Counter(Node):
    """Counts its attempts."""

    def __init__(self, start: int) -> None:
        self.count = start

    @classmethod
    def create(cls, config: Mapping[str, Any]) -> Self:
        return cls(config.get("most", 0))

    async def initialize(self, ctx: InstanceContext) -> None:
        self.count += 100

    async def execute(self, ctx: Context) -> dict[str, Any]:
        self.count += 1
        return {"count": self.count}


async def test_a_class_is_created_with_its_config_as_written_and_called_per_attempt() -> None:
    handler = handler_of(Counter, {"most": 5})
    assert (handler.mode, type(handler.instance)) == ("async", Counter)
    assert handler.instance is not None
    await handler.instance.initialize(InstanceContext(node_id="n", config={}, secrets={}))
    assert await handler.call(context()) == {"count": 106}
    assert await handler.call(context()) == {"count": 107}
    await handler.instance.shutdown()
    assert handler.read_config is not None
    assert handler.read_config({"most": 1}) == Limits(most=1)


def test_every_handler_of_a_class_has_an_instance_of_its_own() -> None:
    assert handler_of(Counter).instance is not handler_of(Counter).instance


def test_a_class_with_a_plain_execute_runs_on_a_thread() -> None:
    @node("a.sync", inputs=[], outputs=[Port(name="thread")])
    class Blocking(Node):
        def execute(self, ctx: Context) -> dict[str, Any]:  # type: ignore[override]
            return {"thread": threading.get_ident()}

    handler = handler_of(Blocking)
    assert handler.mode == "thread"
    assert handler.call(context()) == {"thread": threading.get_ident()}


def test_what_create_raises_comes_out() -> None:
    @node("a.broken", inputs=[], outputs=[])
    class Broken(Counter):
        @classmethod
        def create(cls, config: Mapping[str, Any]) -> Self:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        handler_of(Broken)
