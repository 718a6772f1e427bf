"""What `@node` refuses, with what to write instead."""

import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest
from flowcore.nodes import NodeType
from flowruntime.authoring import Context, Node, Port, Ports, definition_of, node


def type_of(target: Any) -> NodeType:
    definition = definition_of(target)
    assert definition is not None
    return definition.node_type(type_id=definition.id, implementation="test:node")


def refused(declare: Any) -> str:
    """The message with which a declaration, or the node type made of it, is refused."""
    with pytest.raises(TypeError) as caught:
        type_of(declare())
    return str(caught.value).replace(f"{declare.__qualname__}.<locals>.", "")


class Wishes(msgspec.Struct):
    limit: int = 5


class Silent(Node):
    """A node class to declare."""

    async def execute(self, ctx: Context) -> None:
        return None


def test_unknown_options_are_refused_with_a_guess() -> None:
    options: Any = {"tilte": "T"}
    with pytest.raises(TypeError, match=r"^@node has no option 'tilte'\. Did you mean 'title'\?$"):
        node("a.b", **options)


def test_the_id_comes_first() -> None:
    options: Any = {"title": "T"}
    with pytest.raises(TypeError, match="@node takes the type id first"):
        node(Silent, **options)


@pytest.mark.parametrize("target", [5, [1], functools.partial(print), len, staticmethod(print)])
def test_other_things_than_functions_and_classes_are_refused(target: Any) -> None:
    with pytest.raises(
        TypeError, match=r"^@node is for functions and classes, not for .* Put it above a def or a class\.$"
    ):
        node("a.b")(target)


@pytest.mark.parametrize("type_id", ["", "a b", "a/b", "ä.b"])
def test_an_id_of_other_characters_is_refused(type_id: str) -> None:
    def declare() -> Any:
        @node(type_id)
        def function() -> None: ...

        return function

    assert refused(declare) == (
        f"function: {type_id!r} is no id of a node type. Write 'namespace.name' with letters, digits, _ and -."
    )


def test_a_second_declaration_of_one_function_is_refused() -> None:
    def declare() -> Any:
        @node("a.one")
        @node("a.two")
        def function() -> None: ...

        return function

    assert refused(declare) == "function is a node type already. Remove one @node; one function makes one type."


def test_generators_are_refused() -> None:
    def plain() -> Any:
        @node
        def function() -> Iterator[int]:
            yield 1

        return function

    def asynchronous() -> Any:
        @node
        async def function() -> AsyncIterator[int]:
            yield 1

        return function

    for declare in (plain, asynchronous):
        assert refused(declare).startswith("function yields, and a node gives its outputs all at once. Return them;")


def test_a_class_that_is_no_node_is_refused() -> None:
    def declare() -> Any:
        @node
        class Thing:
            pass

        return Thing

    assert refused(declare) == "Thing must inherit from flowruntime.authoring.Node to be a node type."


def test_a_class_without_execute_is_refused() -> None:
    def declare() -> Any:
        @node(inputs=[], outputs=[])
        class Thing(Node):
            pass

        return Thing

    assert refused(declare) == "Thing leaves out execute. Define it: async def execute(self, ctx)."


def test_a_class_whose_life_is_not_awaited_is_refused() -> None:
    def initialize() -> Any:
        @node(inputs=[], outputs=[])
        class Thing(Silent):
            def initialize(self, ctx: Any) -> None: ...  # type: ignore[override]

        return Thing

    def shutdown() -> Any:
        @node(inputs=[], outputs=[])
        class Thing(Silent):
            def shutdown(self) -> None: ...  # type: ignore[override]

        return Thing

    def create() -> Any:
        @node(inputs=[], outputs=[])
        class Thing(Silent):
            def create(self, config: Any) -> Any: ...  # type: ignore[override]

        return Thing

    assert refused(initialize) == "Thing.initialize is awaited. Write async def initialize."
    assert refused(shutdown) == "Thing.shutdown is awaited. Write async def shutdown."
    assert refused(create) == "Thing.create makes the instance. Write @classmethod above it."


@pytest.mark.parametrize(
    ("options", "sides"), [({}, "inputs and outputs"), ({"inputs": []}, "outputs"), ({"outputs": []}, "inputs")]
)
def test_a_class_without_ports_is_refused(options: Any, sides: str) -> None:
    def declare() -> Any:
        @node("a.b", **options)
        class Thing(Silent):
            pass

        return Thing

    assert refused(declare) == f"Thing: a node class says its ports: give {sides} to @node(…), [] for none."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version": 0}, "/version: 'version' must be a whole number of at least 1"),
        ({"version": "2"}, "/version: 'version' must be a whole number of at least 1"),
        ({"effects": "none"}, "/effects: The effects must be 'pure', 'read', 'write' or by config."),
        ({"effects": {"from": "/x"}}, "effects by config are {'from': '/field', 'read': […], 'else': 'write'}."),
        ({"stability": "done"}, "/stability: 'stability' must be one of"),
        ({"timeout_ms": -1}, "/timeout_ms: 'timeout_ms' must be a number"),
        ({"retry_policy": {"max_attempts": 0}}, "/retry_policy/max_attempts: 'max_attempts' must be"),
        ({"retry_policy": {"attempts": 2}}, "/retry_policy/attempts: A retry policy has no field 'attempts'."),
        ({"outputs": ["a"]}, "'a' is no port. Write Port(name=…)."),
        ({"outputs": [Port(name="")]}, "/outputs/ports/0/name: 'name' must not be empty."),
        ({"outputs": [Port(name="done")]}, "an output is called 'done', a port that every node has. Rename it."),
        ({"outputs": [Port(name="a"), Port(name="a")]}, "an output is called 'a' twice. Rename one."),
        ({"config": int}, "The config class int has no fields."),
        ({"config": complex}, "No JSON Schema can be made: "),
        (
            {"inputs": [Port(name="a")]},
            "there is no parameter for the input port 'a'. Add one, or **inputs for any port.",
        ),
        (
            {"inputs": Ports(rule="any")},
            "ports of the rule 'any' may have any name. Add **inputs to take them.",
        ),
    ],
)
def test_what_a_catalog_could_not_hold_is_refused(options: Any, message: str) -> None:
    def declare() -> Any:
        @node("a.b", **options)
        def function() -> None: ...

        return function

    assert refused(declare).startswith(f"function: {message}")


def test_a_parameter_with_the_name_of_an_implicit_port_is_refused() -> None:
    def declare() -> Any:
        @node
        def function(after: int) -> None: ...

        return function

    assert refused(declare) == "function: an input is called 'after', a port that every node has. Rename it."


def test_parameters_that_nothing_would_fill_are_refused() -> None:
    def ports() -> Any:
        @node(inputs=[])
        def function(a: int) -> None: ...

        return function

    def config() -> Any:
        @node(config={"type": "object", "properties": {}})
        def function(*, a: int) -> None: ...

        return function

    assert refused(ports) == "function: no input port is given for the parameter 'a'. Add it, or give it a default."
    assert refused(config) == "function: the config schema has no property for the parameter 'a'. Add one."


def test_a_config_that_is_said_twice_is_refused() -> None:
    def declare() -> Any:
        @node(config=Wishes)
        def function(*, a: int, b: int) -> None: ...

        return function

    assert refused(declare) == (
        "function: its config is a class, and the keyword-only parameters 'a', 'b' are config too. "
        "Take the config from ctx.config, or leave out the class."
    )


def test_a_default_of_another_type_is_refused() -> None:
    def declare() -> Any:
        @node
        def function(*, a: str = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013

        return function

    assert refused(declare) == (
        "function: the default of the parameter 'a' is not of its type: Expected `str`, got `null`."
    )


def test_types_that_json_has_nothing_for_are_refused_with_their_place() -> None:
    def declare() -> Any:
        @node
        def function(a: complex) -> None: ...

        return function

    assert refused(declare).startswith("function: No JSON Schema can be made: ")
