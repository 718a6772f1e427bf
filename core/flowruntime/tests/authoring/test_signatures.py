"""What is read off the signature of a node function."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Literal,
    NotRequired,
    Required,
    TypedDict,
)

import msgspec
import pytest
from flowruntime.authoring import Blob, Context, DataExpression, Expression, Secret
from flowruntime.authoring.signatures import Field, is_plain, read_signature

if TYPE_CHECKING:
    from decimal import Decimal


class Person(TypedDict):
    name: str
    born: NotRequired[Annotated[int, "The year."]]


class Loose(TypedDict, total=False):
    a: Required[Annotated[int, "Always there."]]
    b: Annotated[str, "Seldom."]


class Tree(TypedDict):
    value: int
    inner: "list[Tree]"


class Tagged(TypedDict):
    tags: set[str]


@dataclasses.dataclass
class Point:
    x: int
    y: Annotated[float, "Upwards."] = 0.0
    unit: ClassVar[str] = "cm"


class Size(msgspec.Struct):
    width: int
    tags: set[str] = msgspec.field(default_factory=set)


def names(fields: tuple[Field, ...]) -> list[str]:
    return [field.name for field in fields]


def test_positional_parameters_are_ports_and_keyword_only_ones_config() -> None:
    def function(a: str, b: int = 5, *, c: bool, d: float = 1.5) -> None: ...

    signature = read_signature(function)
    assert [(field.name, field.required, field.annotation) for field in signature.inputs] == [
        ("a", True, str),
        ("b", False, int),
    ]
    assert [(field.name, field.required, field.default) for field in signature.config][1] == ("d", False, 1.5)
    assert names(signature.config) == ["c", "d"]
    assert (signature.context, signature.open_inputs) == (None, False)


def test_the_context_is_found_wherever_it_stands() -> None:
    def first(ctx: Context, a: str) -> None: ...
    def last(a: str, *, context: "Context") -> None: ...
    def optional(a: str, ctx: Context | None = None) -> None: ...
    def described(a: str, ctx: Annotated[Context, "This attempt."]) -> None: ...

    for function, name in ((first, "ctx"), (last, "context"), (optional, "ctx"), (described, "ctx")):
        signature = read_signature(function)
        assert (signature.context, names(signature.inputs), signature.config) == (name, ["a"], ())


def test_open_keywords_take_any_port() -> None:
    def function(a: str, *, c: int = 1, **others: Any) -> None: ...

    signature = read_signature(function)
    assert (names(signature.inputs), names(signature.config), signature.open_inputs) == (["a"], ["c"], True)


def test_descriptions_stand_in_the_annotations() -> None:
    def function(
        a: Annotated[str, "What to say."], b: Annotated[int, msgspec.Meta(ge=0), "How often."], c: int
    ) -> None: ...

    a, b, c = read_signature(function).inputs
    assert (a.annotation, a.description) == (str, "What to say.")
    assert (b.annotation, b.description) == (Annotated[int, msgspec.Meta(ge=0)], "How often.")
    assert (c.annotation, c.description) == (int, "")


def test_without_annotations_anything_goes() -> None:
    def function(a, b=1):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return a, b

    signature = read_signature(function)
    assert [field.annotation for field in signature.inputs] == [Any, Any]
    assert (names(signature.outputs), signature.returns) == (["result"], "value")


def test_a_typed_dict_names_the_output_ports() -> None:
    def function() -> Person: ...  # type: ignore[empty-body]

    signature = read_signature(function)
    assert signature.returns == "ports"
    assert [(field.name, field.annotation, field.description) for field in signature.outputs] == [
        ("name", str, ""),
        ("born", int, "The year."),
    ]


def test_a_typed_dict_with_required_and_other_keys_does_too() -> None:
    def function() -> Loose: ...  # type: ignore[empty-body]

    assert [(field.name, field.annotation, field.description) for field in read_signature(function).outputs] == [
        ("a", int, "Always there."),
        ("b", str, "Seldom."),
    ]


def test_a_dataclass_or_struct_names_the_output_ports_by_its_fields() -> None:
    def point() -> Point: ...  # type: ignore[empty-body]
    def size() -> Size: ...  # type: ignore[empty-body]

    signature = read_signature(point)
    assert signature.returns == "fields"
    assert [(field.name, field.description, field.plain) for field in signature.outputs] == [
        ("x", "", True),
        ("y", "Upwards.", True),
    ]
    assert [(field.name, field.plain) for field in read_signature(size).outputs] == [("width", True), ("tags", False)]


def test_none_names_no_ports_and_anything_else_one() -> None:
    def nothing() -> None: ...
    def something() -> list[Point]: ...  # type: ignore[empty-body]
    def maybe() -> Person | None: ...

    assert (read_signature(nothing).outputs, read_signature(nothing).returns) == ((), "ports")
    for function in (something, maybe):
        signature = read_signature(function)
        assert (names(signature.outputs), signature.returns) == (["result"], "value")


def test_parameters_without_a_name_to_give_are_refused() -> None:
    def positional(a: str, /) -> None: ...
    def many(*texts: str) -> None: ...

    for function, name in ((positional, "a"), (many, "texts")):
        with pytest.raises(TypeError) as caught:
            read_signature(function)
        assert str(caught.value).endswith(
            f": the parameter {name!r} is positional only, and ports are given by name. "
            "Remove the * or / that makes it so."
        )


def test_two_contexts_are_refused() -> None:
    def function(a: Context, b: Context) -> None: ...

    with pytest.raises(TypeError, match=r"both 'a' and 'b' take the Context\. Remove one\."):
        read_signature(function)


@pytest.mark.parametrize("annotation", ["Decimal", "Unknown", "msgspec.Nothing", "1 +", "list["])
def test_annotations_that_cannot_be_read_are_named_with_what_to_do(annotation: str) -> None:
    def function(a: Any) -> None: ...

    function.__annotations__["a"] = annotation
    with pytest.raises(TypeError) as caught:
        read_signature(function)
    assert "function: its annotations cannot be read: " in str(caught.value)
    assert str(caught.value).endswith("imported at the top of the module, not under TYPE_CHECKING alone.")


def test_the_type_checking_import_of_this_module_is_not_there_at_run_time() -> None:
    def function(a: "Decimal") -> None: ...

    with pytest.raises(TypeError, match="name 'Decimal' is not defined"):
        read_signature(function)


@pytest.mark.parametrize(
    "annotation",
    [
        Any,
        object,
        str,
        int,
        float,
        bool,
        None,
        type(None),
        dict,
        list,
        dict[str, Any],
        list[dict[str, int | None]],
        Mapping[str, int],
        Sequence[str],
        str | None,
        Literal["a", 1],
        Annotated[str, "words"],
        Expression,
        DataExpression | None,
        Person,
        Loose,
        Tree,
        list[Tree],
    ],
    ids=repr,
)
def test_json_needs_no_conversion(annotation: Any) -> None:
    assert is_plain(annotation)


@pytest.mark.parametrize(
    "annotation",
    [
        set[str],
        tuple[int, ...],
        bytes,
        Point,
        Size,
        list[Point],
        dict[str, Point],
        Point | None,
        Tagged,
        Blob,
        Secret,
        complex,
        Annotated[int, msgspec.Meta(ge=0)],
        Annotated[list, []],
    ],
    ids=repr,
)
def test_everything_else_does(annotation: Any) -> None:
    assert not is_plain(annotation)
