"""What `@node` makes of functions and classes, and what it refuses."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypedDict

import msgspec
import pytest
from flowcore.nodes import NodeType
from flowcore.policies import PartialRetryPolicy
from flowruntime.authoring import (
    Context,
    DataExpression,
    Deprecation,
    EffectsByConfig,
    Expression,
    Node,
    Port,
    Ports,
    definition_of,
    node,
)


def type_of(target: Any) -> NodeType:
    definition = definition_of(target)
    assert definition is not None
    return definition.node_type(type_id=definition.id, implementation="test:node")


class Answer(TypedDict):
    text: Annotated[str, "What was said."]
    length: int


class Wishes(msgspec.Struct):
    limit: int = 5


class Silent(Node):
    """A node class to declare."""

    async def execute(self, ctx: Context) -> None:
        return None


# --- functions ---------------------------------------------------------------------------------------


def test_a_function_becomes_a_node_type_and_stays_callable() -> None:
    @node("text.shout", effects="pure")
    def shout(text: Annotated[str, "What to say."], *, times: Annotated[int, "How loud."] = 1) -> str:
        """Say it louder.

        More about it.
        """
        return text.upper() + "!" * times

    assert shout("hi", times=2) == "HI!!"
    made = type_of(shout)
    assert (made.id, made.version, made.description, made.effects) == ("text.shout", 1, "Say it louder.", "pure")
    assert made.inputs == Ports(
        ports=(Port(name="text", schema={"type": "string"}, description="What to say.", required=True),)
    )
    assert made.outputs == Ports(ports=(Port(name="result", schema={"type": "string"}),))
    assert made.config_schema == {
        "type": "object",
        "properties": {"times": {"type": "integer", "description": "How loud.", "default": 1}},
        "additionalProperties": False,
    }


async def test_an_async_function_stays_awaitable() -> None:
    @node
    async def double(n: int) -> int:
        return 2 * n

    assert await double(4) == 8
    assert type_of(double).id == "double"


def test_without_an_id_the_name_is_taken() -> None:
    @node()
    def plain() -> None: ...

    made = type_of(plain)
    assert (made.id, made.description, made.effects) == ("plain", "", "write")
    assert (made.inputs, made.outputs) == (Ports(), Ports())
    assert made.config_schema == {"type": "object", "properties": {}, "additionalProperties": False}


def test_an_option_overrides_what_is_read_off_the_code() -> None:
    @node(
        "text.ask",
        version=3,
        title="Ask",
        description="Asks.",
        category="Text",
        retry_policy={"max_attempts": 4},
        timeout_ms=500,
        effects={"from": "/method", "read": ["GET"], "else": "write"},
        examples=[{"title": "One", "inputs": {"a": 1}}],
        stability="beta",
        deprecation=Deprecation(since="1.0", use="text.tell"),
        replaces=["text.query"],
        outputs=[Port(name="yes"), Port(name="no")],
    )
    def ask(a: int) -> dict[str, int]:
        """Not this."""
        return {"yes": a}

    made = type_of(ask)
    assert (made.version, made.title, made.description, made.category) == (3, "Ask", "Asks.", "Text")
    assert made.retry_policy == PartialRetryPolicy(max_attempts=4)
    assert made.timeout_ms == 500
    assert made.effects == EffectsByConfig(pointer="/method", read=("GET",), otherwise="write")
    assert made.examples == ({"title": "One", "inputs": {"a": 1}},)
    assert (made.stability, made.replaces) == ("beta", ("text.query",))
    assert [port.name for port in made.outputs.ports] == ["yes", "no"]


def test_a_typed_dict_names_the_outputs() -> None:
    @node
    def count(text: str) -> Answer:
        return {"text": text, "length": len(text)}

    assert type_of(count).outputs.ports == (
        Port(name="text", schema={"type": "string"}, description="What was said."),
        Port(name="length", schema={"type": "integer"}),
    )


def test_open_keywords_make_any_port() -> None:
    @node
    def merge(first: int, **others: int) -> int:
        return first + sum(others.values())

    inputs = type_of(merge).inputs
    assert (inputs.rule, [port.name for port in inputs.ports]) == ("any", ["first"])


def test_config_fields_may_be_expressions_choices_and_classes() -> None:
    @node
    def pick(
        *,
        when: Expression,
        of: DataExpression | None = None,
        mode: Literal["a", "b"] = "a",
        wishes: Wishes | None = None,
        others: list[Wishes] = [],  # noqa: B006 - what authors write
        tags: set[str] = frozenset(),  # type: ignore[assignment]
    ) -> None: ...

    schema: Any = type_of(pick).config_schema
    assert schema["required"] == ["when"]
    properties = schema["properties"]
    assert properties["when"] == {"type": "string", "x-expression": True}
    assert properties["of"]["anyOf"][0]["x-expression"] == "data"
    assert (properties["of"]["default"], properties["mode"]["default"], properties["tags"]["default"]) == (
        None,
        "a",
        [],
    )
    assert properties["others"] == {"type": "array", "items": {"$ref": "#/$defs/Wishes"}, "default": []}
    assert list(schema["$defs"]) == ["Wishes"]


def test_two_classes_of_one_name_are_kept_apart() -> None:
    def make(kind: type) -> type:
        return msgspec.defstruct("Same", [("value", kind)], module=f"m.{kind.__name__}")

    def function(*, a: Any, b: Any) -> None: ...

    function.__annotations__ |= {"a": make(int), "b": make(str)}
    schema: Any = type_of(node(function)).config_schema
    a, b = (schema["$defs"][schema["properties"][name]["$ref"].rpartition("/")[2]] for name in "ab")
    assert (a["properties"]["value"], b["properties"]["value"]) == ({"type": "integer"}, {"type": "string"})


def test_a_default_that_json_has_nothing_for_stays_the_functions_own() -> None:
    nothing = object()

    @node
    def function(*, a: Any = nothing, b: float = math.inf) -> None: ...

    assert type_of(function).config_schema["properties"] == {"a": {}, "b": {"type": "number"}}  # type: ignore[index]


def test_a_function_may_take_its_config_as_a_class_or_by_a_schema() -> None:
    @node(config=Wishes)
    def by_class(ctx: Context) -> int:
        return ctx.config.limit  # type: ignore[no-any-return]

    @node(config={"type": "object", "properties": {"limit": {"maximum": 9}}})
    def by_schema(*, limit: int = 5) -> int:
        return limit

    assert type_of(by_class).config_schema["properties"] == {"limit": {"type": "integer", "default": 5}}  # type: ignore[index]
    assert type_of(by_schema).config_schema == {"type": "object", "properties": {"limit": {"maximum": 9}}}


def test_declared_ports_take_the_place_of_the_parameters() -> None:
    @node(inputs=[Port(name="values", multiple=True, required=True)])
    def total(values: list[int], rate: float = 1.0) -> float:
        return sum(values) * rate

    assert [port.name for port in type_of(total).inputs.ports] == ["values"]


# --- classes -----------------------------------------------------------------------------------------


def test_a_class_becomes_a_node_type_that_says_its_ports() -> None:
    @node("db.query", inputs=[Port(name="sql", required=True)], outputs=[Port(name="rows")], config=Wishes)
    class Query(Node):
        """Ask the database."""

        @classmethod
        def create(cls, config: Mapping[str, Any]) -> Self:
            return cls()

        async def execute(self, ctx: Context) -> dict[str, Any]:
            return {"rows": []}

    made = type_of(Query)
    assert (made.id, made.description) == ("db.query", "Ask the database.")
    assert [port.name for port in made.inputs.ports] == ["sql"]
    assert made.config_schema["properties"] == {"limit": {"type": "integer", "default": 5}}  # type: ignore[index]


def test_a_class_without_docstring_has_no_description_and_without_config_takes_none() -> None:
    @node(inputs=[], outputs=[])
    class Quiet(Node):
        async def execute(self, ctx: Context) -> None:
            return None

    made = type_of(Quiet)
    assert made.description == ""
    assert made.config_schema == {"type": "object", "properties": {}, "additionalProperties": False}


def test_a_subclass_is_not_the_node_type_that_its_parent_is() -> None:
    parent = node("a.parent", inputs=[], outputs=[])(Silent)

    class Child(parent):  # type: ignore[valid-type,misc]
        """Another one."""

    assert definition_of(Child) is None
    assert definition_of(node("a.child", inputs=[], outputs=[])(Child)) is not None
    assert definition_of(parent) is not None


def test_a_wrapper_is_not_the_node_type_that_it_wraps() -> None:
    @node
    def inner() -> None: ...

    @functools.wraps(inner)
    def outer() -> None: ...

    assert definition_of(outer) is None
    for anything in (5, None, "text", int, Silent()):
        assert definition_of(anything) is None


def test_one_decorator_may_be_used_for_several_functions() -> None:
    def first() -> None: ...
    def second() -> None: ...

    declare = node("a.b", title="T", description="D", effects="read")
    for function in (first, second):
        made = type_of(declare(function))
        assert (made.title, made.description, made.effects) == ("T", "D", "read")


def test_a_definition_cannot_be_changed() -> None:
    definition = definition_of(node("a.b", inputs=[], outputs=[])(type("Thing", (Silent,), {})))
    assert definition is not None
    with pytest.raises(dataclasses.FrozenInstanceError):
        definition.id = "other"  # type: ignore[misc]


def test_a_text_on_the_result_describes_its_port() -> None:
    @node("text.twice", effects="pure")
    def twice(text: str) -> Annotated[str, "The text, twice."]:
        return text * 2

    definition = definition_of(twice)
    assert definition is not None
    (port,) = definition.node_type(type_id="text.twice", implementation="m:twice").outputs.ports
    assert (port.name, port.description, port.schema) == ("result", "The text, twice.", {"type": "string"})


def test_schemas_of_ports_cannot_be_changed_whether_derived_or_given() -> None:
    @node("text.many", effects="pure", outputs=[Port(name="result", schema={"type": "array"})])
    def many(text: dict[str, Any]) -> list[Any]:
        return [text]

    node_type = type_of(many)
    for port in (*node_type.inputs.ports, *node_type.outputs.ports):
        assert isinstance(port.schema, dict)
        with pytest.raises(TypeError, match="immutable"):
            port.schema["type"] = "string"
