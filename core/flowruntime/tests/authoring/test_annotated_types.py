"""JSON Schemas of annotated types, and values into such types and out again."""

import dataclasses
import datetime as dt
import enum
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypedDict

import jsonschema_rs
import msgspec
import pytest
from flowcore.errors import FatalNodeError
from flowruntime.authoring import Blob, DataExpression, Expression, Secret
from flowruntime.authoring.annotated import object_schema, standalone_schema, to_annotated, to_value


class Tree(msgspec.Struct):
    value: int
    inner: "list[Tree]" = []


class Leaf(msgspec.Struct):
    """A leaf."""

    colour: Literal["green", "brown"] = "green"


class Branch(msgspec.Struct):
    leaves: list[Leaf]
    best: Leaf | None = None


class Shade(enum.Enum):
    LIGHT = "light"


@dataclasses.dataclass
class Attachment:
    name: str
    content: Blob
    tags: set[str] = dataclasses.field(default_factory=set)
    sizes: tuple[int, ...] = ()


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    when: Annotated[Expression | None, "When to do it."] = None
    pick: DataExpression | None = None
    token: Secret | None = None
    limit: Annotated[int, msgspec.Meta(ge=0, description="At most.")] = 5


@dataclasses.dataclass
class Options:
    path: Annotated[str, "Where it is."]
    depth: int = 1


class Keys(TypedDict):
    path: Annotated[str, "Where it is."]


class Model:
    """What pydantic's models can do, as far as it is used."""

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        return {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": True}


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (Any, True),
        (object, True),
        (str, {"type": "string"}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Literal["a", 1], {"enum": [1, "a"]}),
        (list[Any], {"type": "array"}),
        (dict[str, Any], {"type": "object"}),
        (Mapping[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Annotated[int, msgspec.Meta(ge=0)], {"type": "integer", "minimum": 0}),
        (Expression, {"type": "string", "x-expression": True}),
        (DataExpression, {"type": "string", "x-expression": "data"}),
        (Secret, {"type": "string", "writeOnly": True}),
        (Blob, {"type": "object", "required": ["$blob"], "properties": {"$blob": {"type": "object"}}}),
    ],
)
def test_a_type_has_its_json_schema(annotation: Any, schema: Any) -> None:
    assert standalone_schema(annotation) == schema


def test_a_class_is_written_out_where_it_stands() -> None:
    assert standalone_schema(Leaf) == {
        "title": "Leaf",
        "description": "A leaf.",
        "type": "object",
        "properties": {"colour": {"enum": ["brown", "green"], "default": "green"}},
        "required": [],
    }


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (Tree, {"value": 1, "inner": [{"value": 2, "inner": []}]}, {"value": 1, "inner": [{"value": "x"}]}),
        (list[Tree], [{"value": 1}], [{"inner": []}]),
        (Branch, {"leaves": [{"colour": "brown"}]}, {"leaves": [{"colour": "blue"}]}),
        (dict[str, object], {"a": [None]}, ["a"]),
        (Branch | None, None, {"leaves": [], "best": 5}),
        (dict[str, Branch], {"a": {"leaves": []}}, {"a": {}}),
    ],
    ids=repr,
)
def test_a_schema_stands_by_itself_also_when_it_is_recursive(annotation: Any, good: Any, bad: Any) -> None:
    validator = jsonschema_rs.Draft202012Validator(standalone_schema(annotation), offline=True)
    assert validator.is_valid(good)
    assert not validator.is_valid(bad)


def test_a_recursive_class_has_its_properties_at_the_top() -> None:
    schema = object_schema(Tree)
    assert list(schema["properties"]) == ["value", "inner"]
    validator = jsonschema_rs.Draft202012Validator(schema, offline=True)
    assert validator.is_valid({"value": 1, "inner": [{"value": 2}]})
    assert not validator.is_valid({"value": 1, "other": 2})


@pytest.mark.parametrize("config", [Options, Keys])
def test_a_config_class_is_closed_and_described(config: type) -> None:
    schema = object_schema(config)
    assert schema["properties"]["path"] == {"type": "string", "description": "Where it is."}
    assert schema["required"] == ["path"]
    assert schema["additionalProperties"] is False


def test_marks_and_descriptions_of_a_struct_are_kept() -> None:
    properties = object_schema(Settings)["properties"]
    assert properties["when"]["anyOf"][0] == {"type": "string", "x-expression": True}
    assert properties["when"]["description"] == "When to do it."
    assert properties["limit"] == {"type": "integer", "minimum": 0, "description": "At most.", "default": 5}


def test_a_model_says_itself_what_it_takes() -> None:
    assert object_schema(Model) == Model.model_json_schema()


@pytest.mark.parametrize("annotation", [complex, type, Expression | str, list[complex]])
def test_a_type_that_json_has_nothing_for_is_refused(annotation: Any) -> None:
    with pytest.raises(TypeError, match=r"^No JSON Schema can be made: .* Use types that JSON has\.$"):
        standalone_schema(annotation)


def test_a_config_class_without_fields_is_refused() -> None:
    with pytest.raises(TypeError, match="The config class int has no fields"):
        object_schema(int)


def test_values_become_instances_of_the_annotated_types() -> None:
    blob, expression = Blob.from_bytes(b"x"), Expression("a", lambda root: root)
    assert to_annotated(["a", "a"], set[str], "tags") == {"a"}
    assert to_annotated({"leaves": [{}]}, Branch, "branch") == Branch(leaves=[Leaf()])
    assert to_annotated("light", Shade, "shade") is Shade.LIGHT
    assert to_annotated(blob, Blob, "file") is blob
    assert to_annotated({"name": "a", "content": blob}, Attachment, "file") == Attachment("a", blob)
    settings = to_annotated({"when": expression, "token": "hunter2"}, Settings, "config")
    assert settings.when is expression
    assert settings.token.reveal() == "hunter2"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("value", "annotation", "reason"),
    [
        ("x", set[str], "Expected `array`, got `str`"),
        ({"leaves": [{"colour": "blue"}]}, Branch, "at `$.leaves[0].colour`"),
        ("text", Blob, "Expected `Blob`, got `str`"),
        (-1, Annotated[int, msgspec.Meta(ge=0)], "Expected `int` >= 0"),
        (5, Secret, "Expected `Secret`, got `int`"),
    ],
)
def test_a_value_of_another_type_fails_the_node_for_good(value: Any, annotation: Any, reason: str) -> None:
    with pytest.raises(FatalNodeError) as caught:
        to_annotated(value, annotation, "tags")
    assert caught.value.code == "node.input_type"
    assert caught.value.message.startswith("The value of 'tags' does not fit its declared type: ")
    assert reason in caught.value.message


class Counts(msgspec.Struct):
    """Integers, and what only looks like some."""

    most: int
    share: float
    all: list[int]


def test_a_number_such_as_3_point_0_is_an_integer_as_it_is_to_schemas() -> None:
    counts = to_annotated({"most": 3.0, "share": 2.0, "all": [1, 2.0]}, Counts, "config")
    assert (counts.most, type(counts.most), counts.all) == (3, int, [1, 2])
    assert (counts.share, type(counts.share)) == (2.0, float)
    with pytest.raises(FatalNodeError, match=r"got `float` - at `\$.most`"):
        to_annotated({"most": 3.5, "share": 2.0, "all": []}, Counts, "config")


def test_instances_become_values_and_keep_their_blobs() -> None:
    blob = Blob.from_bytes(b"x")
    value = to_value([Attachment("a", blob, {"t"}, (1, 2))], "files")
    assert value == [{"name": "a", "content": blob, "tags": ["t"], "sizes": [1, 2]}]
    assert value[0]["content"] is blob
    assert to_value(blob, "file") is blob
    assert to_value({1: (Shade.LIGHT,)}, "map") == {"1": ["light"]}
    assert to_value(dt.date(2026, 1, 2), "day") == "2026-01-02"


@pytest.mark.parametrize("result", [object(), [Secret("hunter2")], {"a": complex(1, 2)}])
def test_what_is_no_value_fails_the_node_for_good(result: Any) -> None:
    with pytest.raises(FatalNodeError, match="The value of output port 'p' cannot travel between nodes") as caught:
        to_value(result, "p")
    assert caught.value.code == "node.output_value"
    assert "hunter2" not in str(caught.value)
