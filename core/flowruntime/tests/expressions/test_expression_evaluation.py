"""What expressions evaluate to, and how they fail."""

from types import SimpleNamespace
from typing import Any

import jmespath
import pytest
from flowcore.errors import FatalNodeError, RetryableNodeError
from flowcore.values import Blob, freeze
from flowruntime.authoring import DataExpression, Expression
from flowruntime.expressions import BARE_ROOTS, CONFIG_ROOTS, ExpressionError, compile_expression
from hypothesis import given
from hypothesis import strategies as st

NAMES = ["a", "b", "c d", "länge", "", "get"]
SCALARS = st.none() | st.booleans() | st.integers(-10, 10) | st.floats(allow_nan=False) | st.text(max_size=3)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)


@given(PATHS, DATA)
def test_a_plain_path_gives_what_jmespath_gives(names: list[str], data: Any) -> None:
    text = ".".join(f'"{name}"' for name in names)
    assert compile_expression(text, None)(data) == jmespath.search(text, data)
    assert compile_expression(text, None)(freeze(data)) == jmespath.search(text, data)


pieces = st.sampled_from(
    [
        *(
            "a",
            '"c d"',
            "@",
            "`1`",
            "`[0, 1]`",
            "'t'",
            ".a",
            ".b",
            "[0]",
            "[-1]",
            "[*]",
            "[]",
            ".*",
            "[?a]",
            "[?@ > `1`]",
        ),
        *(
            "[::2]",
            "[::0]",
            " | ",
            " || ",
            " && ",
            " == ",
            " < ",
            "!(",
            "(",
            ")",
            "length(",
            "sum(",
            "to_number(",
            "keys(",
        ),
        *(
            "sort(",
            "sort_by(a, &b)",
            "max_by(@, &a)",
            "join('', ",
            "abs(",
            "floor(",
            ".{a: b}",
            ".[a, b]",
            "to_string(",
        ),
    ]
)


@given(st.lists(pieces, min_size=1, max_size=6).map("".join), DATA)
def test_evaluating_gives_what_jmespath_gives_or_a_fatal_error_of_the_node(text: str, data: Any) -> None:
    try:
        expression = compile_expression(text, None)
    except ExpressionError:
        return
    failure, value = None, None
    try:
        value = expression(data)
    except FatalNodeError as error:
        failure = error
    if failure is not None:
        assert failure.code == "expression.failed"
    else:
        assert value == jmespath.search(text, data)


def test_a_bare_expression_is_called_with_its_root() -> None:
    expression = compile_expression("inputs.value > `5`", BARE_ROOTS)
    assert type(expression) is Expression
    assert expression.text == "inputs.value > `5`"
    assert (expression({"inputs": {"value": 6}}), expression({"inputs": {"value": 5}})) == (True, False)


def test_an_expression_over_data_has_a_type_of_its_own() -> None:
    assert type(compile_expression("[0]", None)) is DataExpression


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("vars.off || 'd'", "d"),
        ("vars.zero || 'd'", 0),
        ("vars.empty || 'd'", "d"),
        ("vars.zero && 'then'", "then"),
        ("!(vars.zero)", False),
        ("vars.missing == `null`", True),
        ("vars.nothing.at.all", None),
    ],
)
def test_truth_is_that_of_jmespath(text: str, value: Any) -> None:
    root = {"vars": {"off": False, "zero": 0, "empty": []}}
    assert compile_expression(text, BARE_ROOTS)(root) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("length(vars.n)", " at column 0: length() takes string or array or object, and got number"),
        ("[sum(vars.list)]", " at column 1: sum() takes array-number, and got string"),
        ("join(vars.n, vars.list)", " at column 0: join() takes string as argument 1, and got number"),
        ("merge(vars, vars.n)", " at column 0: merge() takes object as argument 2, and got number"),
        ("keys(vars.missing)", " at column 0: keys() takes object, and got null"),
        ("sort_by(vars.people, &name)", " at column 0: sort_by() takes string, and got number"),
        ("map(&abs(name), vars.people)", " at column 5: abs() takes number, and got string"),
        ("to_number('NaN')", " at column 0: to_number() gives NaN, which is no number of JSON"),
        ("to_number('1e999')", " at column 0: to_number() gives a number beyond the range of numbers"),
        ("[to_number('99999999999999999999')]", " at column 1: to_number() gives a number beyond 64 bit"),
        ("sum(`[9223372036854775807, 1]`)", " at column 0: sum() gives a number beyond 64 bit"),
        ("abs(`-9223372036854775808`)", " at column 0: abs() gives a number beyond 64 bit"),
        ("ceil(`1e300`)", " at column 0: ceil() gives a number beyond 64 bit"),
        ("length(to_string(sum(`[9223372036854775807, 1]`)))", " at column 17: sum() gives a number beyond 64 bit"),
        ("floor(sum([`1e308`, `1e308`]))", " at column 6: sum() gives a number beyond the range of numbers"),
        (
            "from_json('{\"$blob\": 1}')",
            " at column 0: from_json() gives what is no value (the key '$blob' is reserved for Blobs)",
        ),
    ],
)
def test_what_cannot_be_evaluated_fails_the_node_for_good(text: str, reason: str) -> None:
    root = {"vars": {"list": ["a", 1], "n": 5, "people": [{"name": "Ada"}, {"name": 1}]}}
    with pytest.raises(FatalNodeError) as caught:
        compile_expression(text, BARE_ROOTS)(root)
    assert caught.value.code == "expression.failed"
    assert caught.value.message == f"The expression {text!r} failed{reason}."


def test_an_error_says_in_which_field_the_expression_stands_and_what_to_write() -> None:
    with pytest.raises(FatalNodeError) as caught:
        compile_expression("length(vars.name)", BARE_ROOTS, "/nodes/0/config/when")({"vars": {}})
    assert " in /nodes/0/config/when failed " in caught.value.message
    assert caught.value.remedy == "Say what stands for it where it is null: default(VALUE, 'text')."


@pytest.mark.parametrize("text", ["vars.name < `1`", "`1` >= vars.name", "vars.list[?@ > `0`]"])
def test_ordering_a_text_and_a_number_gives_null(text: str) -> None:
    value = compile_expression(text, BARE_ROOTS)({"vars": {"name": "Ada", "list": ["a"]}})
    assert value in (None, [])


def test_the_error_does_not_show_the_value_that_caused_it() -> None:
    with pytest.raises(FatalNodeError) as caught:
        compile_expression("abs(secrets.TOKEN)", CONFIG_ROOTS)({"secrets": {"TOKEN": "hunter2"}})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("text", ["secrets.TOKEN", "join(' ', ['Bearer', secrets.TOKEN])"])
def test_an_error_that_the_root_raises_comes_out_as_it_is(text: str) -> None:
    def missing(name: str) -> None:
        raise RetryableNodeError(f"There is no {name}.", code="secret.missing")

    with pytest.raises(RetryableNodeError) as caught:
        compile_expression(text, CONFIG_ROOTS)({"secrets": SimpleNamespace(get=missing)})
    assert caught.value.code == "secret.missing"


class _Table(dict[str, Any]):
    """What a node may well give instead of a plain dict."""


@pytest.mark.parametrize("make", [dict, freeze, _Table])
def test_functions_take_frozen_documents_and_subclasses(make: Any) -> None:
    root = {"vars": make({"b": [3, 1], "a": {"x": 1}})}
    for text, value in {
        "keys(vars)": ["b", "a"],
        "length(vars.b)": 2,
        "sort(vars.b)": [1, 3],
        "merge(vars.a, vars)": {"x": 1, "b": [3, 1], "a": {"x": 1}},
        "map(&to_string(@), vars.b)": ["3", "1"],
        "type(vars)": "object",
        "vars.b[?@ > `1`]": [3],
        "vars.*[]": [3, 1, {"x": 1}],
    }.items():
        assert compile_expression(text, BARE_ROOTS)(root) == value


def test_a_blob_travels_through_and_has_no_fields() -> None:
    blob = Blob.from_bytes(b"hello")
    root = {"inputs": {"file": blob}}
    assert compile_expression("inputs.file", BARE_ROOTS)(root) is blob
    assert compile_expression("[inputs.file]", BARE_ROOTS)(root) == [blob]
    assert compile_expression("inputs.file.size", BARE_ROOTS)(root) is None
