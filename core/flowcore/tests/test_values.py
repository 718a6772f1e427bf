"""Values: what counts as one, frozen copies, Blobs, tagged values, and the reader of objects."""

from __future__ import annotations

import copy
import io
import pickle
import time
from typing import Any

import pytest
from flowcore.errors import MAX_PROBLEMS, Problem, ProblemList
from flowcore.values import (
    MAX_DEPTH,
    Blob,
    FrozenDict,
    FrozenList,
    NotAValue,
    ObjectReader,
    check_value,
    did_you_mean,
    freeze,
    is_tagged,
    kind_of,
    read_json,
    resolve_blobs,
    thaw,
    untag,
    untag_object,
    write_json,
)
from hypothesis import given

from core.flowcore.tests.workflow_strategies import JSON, LOOKALIKES, VALUES


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@given(VALUES)
def test_json_and_blobs_are_values(value: Any) -> None:
    check_value(value)


@pytest.mark.parametrize(
    ("value", "pointer", "code"),
    [
        ({"a": {1, 2}}, "/a", "json.type"),
        ([(1, 2)], "/0", "json.type"),
        ({"a": [b"bytes"]}, "/a/0", "json.type"),
        ({"a": [0, {"b/c": object()}]}, "/a/1/b~1c", "json.type"),
        ({"a": {1: 2}}, "/a", "json.type"),
        ({"a": float("nan")}, "/a", "json.not_a_number"),
        ([float("-inf")], "/0", "json.not_a_number"),
        ({"a": 2**63}, "/a", "json.integer_range"),
        ([-(2**63) - 1], "/0", "json.integer_range"),
        ({"a": "\ud800"}, "/a", "json.surrogate"),
        ({"\udc00": 1}, "", "json.surrogate"),
        (nested(MAX_DEPTH + 1), "/0" * MAX_DEPTH, "json.too_deep"),
        ({"a": {"$blob": 1}}, "/a", "json.blob_key"),
    ],
)
def test_what_is_no_value_is_named_with_its_place(value: Any, pointer: str, code: str) -> None:
    with pytest.raises(NotAValue) as caught:
        check_value(value)
    assert (caught.value.pointer, caught.value.code) == (pointer, code)
    assert caught.value.remedy


@pytest.mark.parametrize("value", [nested(MAX_DEPTH), 2**63 - 1, -(2**63), True, None, "", Blob.from_bytes(b"")])
def test_the_limits_themselves_are_values(value: Any) -> None:
    check_value(value)


def test_a_value_that_holds_itself_is_too_deep() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(NotAValue, match="nested deeper than 64"):
        check_value(value)


@given(JSON)
def test_frozen_values_equal_and_are_written_like_plain_ones(value: Any) -> None:
    frozen = freeze(value)
    assert frozen == value
    assert write_json(frozen) == write_json(value)
    assert freeze(frozen) is frozen
    assert thaw(frozen) == value
    assert type(thaw(frozen)) is type(value)


CHANGES: dict[str, list[Any]] = {
    "update": [{"a": 1}],
    "__setitem__": [0, 1],
    "__delitem__": [0],
    "__ior__": [{"b": 1}],
    "__iadd__": [[1]],
    "__imul__": [2],
    "append": [1],
    "clear": [],
    "extend": [[1]],
    "insert": [0, 1],
    "pop": [],
    "popitem": [],
    "remove": [1],
    "reverse": [],
    "setdefault": ["b", 1],
    "sort": [],
}


@pytest.mark.parametrize("method", CHANGES)
def test_no_way_of_changing_a_frozen_value_works(method: str) -> None:
    value = freeze({"list": [1], "inner": {}})
    parts = [part for part in (value, value["list"], value["inner"]) if hasattr(part, method)]
    assert parts
    for part in parts:
        with pytest.raises(TypeError, match=r"immutable; copy the Frozen(Dict|List) with thaw"):
            getattr(part, method)(*CHANGES[method])
    assert value == {"list": [1], "inner": {}}


@pytest.mark.parametrize("kind", [dict, list])
def test_the_list_of_ways_to_change_a_value_is_complete(kind: type[Any]) -> None:
    harmless = {"copy", "count", "fromkeys", "get", "index", "items", "keys", "values"}
    methods = {name for name in dir(kind) if not name.startswith("_")}
    in_place = {name for name in dir(kind) if name.startswith(("__i", "__set", "__del"))}
    in_place -= {"__init__", "__init_subclass__", "__iter__", "__setattr__", "__delattr__"}
    assert (methods - harmless) | in_place <= CHANGES.keys()


def test_freezing_copies_so_that_later_changes_do_not_show() -> None:
    source: dict[str, Any] = {"a": [1]}
    frozen = freeze(source)
    source["a"].append(2)
    assert frozen == {"a": [1]}


def test_subclasses_of_dict_and_list_are_frozen_too() -> None:
    class Mine(dict[str, Any]):
        pass

    frozen = freeze({"a": Mine(b=[1])})
    assert type(frozen["a"]) is FrozenDict
    assert type(frozen["a"]["b"]) is FrozenList


def test_frozen_values_survive_copying_and_pickling_frozen() -> None:
    value = freeze({"a": [{"b": 1}]})
    for twin in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):  # noqa: S301 - our own bytes
        assert twin == value
        assert type(twin) is FrozenDict
        assert type(twin["a"]) is FrozenList


def test_a_blob_is_its_content_and_media_type() -> None:
    blob = Blob.from_bytes(b"hello", media_type="text/plain")
    assert blob == Blob.from_bytes(b"hello", media_type="text/plain")
    assert blob != Blob.from_bytes(b"hello")
    assert blob != Blob.from_bytes(b"other", media_type="text/plain")
    assert blob != b"hello"
    assert len({blob, Blob.from_bytes(b"hello", media_type="text/plain")}) == 1
    assert blob.read() == b"hello"
    assert repr(blob).startswith("Blob(sha256='2cf24dba5fb0', size=5, ")
    with blob.open() as first, blob.open() as second:
        assert (first.read(2), second.read()) == (b"he", b"hello")


def test_a_blob_reads_from_any_source_in_parts() -> None:
    class Source:
        def open(self) -> io.BytesIO:
            return io.BytesIO(b"far away")

    blob = Blob(sha256="0" * 64, size=8, source=Source())
    with blob.open() as reader:
        assert reader.read(3) == b"far"


@pytest.mark.parametrize(
    "wrong",
    [
        {"sha256": "zz"},
        {"sha256": "A" * 64},
        {"sha256": None},
        {"size": -1},
        {"size": True},
        {"size": 1.0},
        {"media_type": None},
        {"media_type": "a\r\nSet-Cookie: b"},
        {"media_type": "\ud800"},
    ],
)
def test_a_blob_that_could_not_be_read_back_cannot_be_made(wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"sha256": "0" * 64, "size": 1, "media_type": "text/plain", **wrong}
    with pytest.raises(ValueError, match="Blob"):
        Blob(**given)


def test_the_content_of_a_bare_reference_is_not_here() -> None:
    blob = resolve_blobs(Blob.from_bytes(b"hello").to_json())
    with pytest.raises(ValueError, match="not available in this process"):
        blob.read()


@given(VALUES)
def test_values_survive_json_text_with_their_blobs(value: Any) -> None:
    assert resolve_blobs(read_json(write_json(value)).value) == value


def test_values_without_references_are_not_copied() -> None:
    value = {"a": [{"b": 1}]}
    assert resolve_blobs(value) is value


SHA = "ab" * 32


@pytest.mark.parametrize(
    "reference",
    [
        {"sha256": SHA, "media_type": "a/b"},
        {"sha256": SHA, "media_type": "a/b", "size": -1},
        {"sha256": SHA, "media_type": "a/b", "size": True},
        {"sha256": SHA, "media_type": "a/b", "size": 1.5},
        {"sha256": SHA.upper(), "media_type": "a/b", "size": 1},
        {"sha256": SHA[1:], "media_type": "a/b", "size": 1},
        {"sha256": SHA, "media_type": None, "size": 1},
        {"sha256": SHA, "media_type": "a/b", "size": 1, "more": 1},
        "text",
        None,
    ],
)
def test_an_ill_formed_reference_is_no_blob_and_no_value(reference: Any) -> None:
    value = {"$blob": reference}
    assert resolve_blobs(value) is value
    with pytest.raises(NotAValue, match="reserved"):
        check_value(value)


def test_a_reference_with_company_is_no_blob() -> None:
    value = {**Blob.from_bytes(b"x").to_json(), "more": 1}
    assert resolve_blobs(value) is value


@pytest.mark.parametrize(
    ("tagged", "plain"),
    [
        ({"type": "String", "value": "GET"}, "GET"),
        ({"type": "Number", "value": 1}, 1),
        ({"type": "Number", "value": 1.5}, 1.5),
        ({"type": "Bool", "value": False}, False),
        ({"type": "Null"}, None),
        ({"type": "Null", "value": None}, None),
        ({"type": "Json", "value": {"type": "String", "value": "x"}}, {"type": "String", "value": "x"}),
        ({"type": "Array", "value": [{"type": "Number", "value": 1}, {"type": "Null"}]}, [1, None]),
        ({"type": "Object", "value": {"a": {"type": "Array", "value": []}}}, {"a": []}),
        ({"type": "Bytes", "value": "aGVsbG8="}, Blob.from_bytes(b"hello")),
        ({"type": "Bytes", "value": [104, 105]}, Blob.from_bytes(b"hi")),
    ],
)
def test_a_tagged_value_means_its_plain_value(tagged: Any, plain: Any) -> None:
    problems: list[Problem] = []
    result = untag(tagged, "", problems)
    assert problems == []
    assert result == plain
    assert type(result) is type(plain)


@pytest.mark.parametrize(
    ("tagged", "pointer"),
    [
        ({"type": "String", "value": 1}, "/a/value"),
        ({"type": "Number", "value": "1"}, "/a/value"),
        ({"type": "Number", "value": True}, "/a/value"),
        ({"type": "Bool", "value": 0}, "/a/value"),
        ({"type": "Null", "value": 0}, "/a/value"),
        ({"type": "Array", "value": {}}, "/a/value"),
        ({"type": "Array", "value": [1]}, "/a/value/0"),
        ({"type": "Object", "value": []}, "/a/value"),
        ({"type": "Object", "value": {"b/c": {"type": "String", "value": 1}}}, "/a/value/b~1c/value"),
        ({"type": "Bytes", "value": "no base64"}, "/a/value"),
        ({"type": "Bytes", "value": [256]}, "/a/value"),
        ({"type": "Bytes", "value": 1}, "/a/value"),
    ],
)
def test_a_value_that_contradicts_its_tag_is_a_problem_at_its_place(tagged: Any, pointer: str) -> None:
    problems: list[Problem] = []
    untag_object({"a": tagged}, "", problems)
    assert [(problem.code, problem.pointer) for problem in problems] == [("value.tagged", pointer)]
    assert problems[0].remedy


@pytest.mark.parametrize(
    "value",
    [
        {"type": "string", "value": "x"},
        {"type": "String"},
        {"type": "String", "value": "x", "more": 1},
        {"value": "x"},
        {"type": ["String"], "value": "x"},
        "String",
    ],
)
def test_what_only_resembles_a_tagged_value_is_plain(value: Any) -> None:
    assert not is_tagged(value)
    config = {"a": value}
    assert untag_object(config, "", []) is config


@given(LOOKALIKES)
def test_any_plain_value_can_be_said_with_the_tag_json(value: Any) -> None:
    problems: list[Problem] = []
    assert untag({"type": "Json", "value": value}, "", problems) is value
    assert problems == []


def test_every_kind_of_field_is_read_by_type_and_every_fault_told() -> None:
    problems = ProblemList()
    value = {"text": 1, "flag": "yes", "integer": 1.5, "number": -1, "choice": "redd", "items": {}, "texts": [1]}
    reader = ObjectReader(value, "/here", problems, what="A thing")
    assert reader.text("text", "default") == "default"
    assert reader.flag("flag", default=False) is False
    assert reader.integer("integer", 3) == 3
    assert reader.number("number", None, maximum=1) is None
    assert reader.choice("choice", ("red", "green"), "green") == "green"
    assert reader.items("items") == []
    assert reader.texts("texts") == ()
    assert reader.object("object", None) is None
    reader.finish()
    assert [(problem.pointer, problem.message) for problem in problems] == [
        ("/here/text", "'text' must be a string, not 1."),
        ("/here/flag", "'flag' must be true or false, not 'yes'."),
        ("/here/integer", "'integer' must be a whole number, not 1.5."),
        ("/here/number", "'number' must be a number from 0 to 1, not -1."),
        ("/here/choice", "'choice' must be one of 'red', 'green', not 'redd'."),
        ("/here/items", "'items' must be an array, not an object."),
        ("/here/texts", "'texts' must be an array of strings."),
    ]
    assert problems[4].remedy == "Did you mean 'red'?"


@pytest.mark.parametrize("value", [True, "1", None, [1]])
def test_booleans_and_texts_are_no_numbers(value: Any) -> None:
    problems = ProblemList()
    reader = ObjectReader({"a": value}, "", problems, what="A thing")
    assert reader.integer("a") is None
    assert reader.number("a") is None
    assert [problem.code for problem in problems] == ["document.type"] * 2


def test_null_is_as_good_as_absent_where_the_default_is_none() -> None:
    problems = ProblemList()
    reader = ObjectReader({"a": None}, "", problems, what="A thing")
    assert (reader.text("a", None), reader.integer("a", None), reader.object("a", None)) == (None, None, None)
    assert problems == []
    reader.text("a", "")
    assert problems[0].message == "'a' must be a string, not null."


def test_unknown_fields_are_told_and_extensions_kept() -> None:
    problems = ProblemList()
    reader = ObjectReader({"naem": 1, "x-mine": [1], "zzz": 2}, "", problems, what="A thing")
    reader.text("name", None)
    reader.text("size", None)
    assert reader.finish() == {"x-mine": [1]}
    assert [(problem.code, problem.pointer, problem.remedy) for problem in problems] == [
        ("document.unknown_field", "/naem", "Did you mean 'name'?"),
        ("document.unknown_field", "/zzz", "Remove it; the fields are name, size."),
    ]


def test_a_missing_field_of_something_that_is_no_object_is_not_told() -> None:
    problems = ProblemList()
    reader = ObjectReader([], "/a", problems, what="A thing")
    reader.text("name")
    assert [problem.message for problem in problems] == ["A thing must be an object, not an array."]


@pytest.mark.parametrize(
    ("word", "choices", "hint"),
    [
        ("http.requst", ["http.request", "debug.log"], "Did you mean 'http.request'?"),
        ("request", ["http.request", "debug.log"], "Did you mean 'http.request'?"),
        ("BODY", ["body", "status"], "Did you mean 'body'?"),
        ("node", ["nodes", "nod", "node-10"], "Did you mean 'nodes' or 'nod'?"),
        ("zzz", ["body", "status"], ""),
        ("x", [], ""),
        ("x" * 65, ["x" * 65], ""),
    ],
)
def test_near_names_are_offered(word: str, choices: list[str], hint: str) -> None:
    assert did_you_mean(word, choices) == hint


def test_near_names_are_found_among_many_but_not_for_the_hundredth_problem() -> None:
    choices = [f"node-{number}" for number in range(10_000)]
    assert did_you_mean("fetsch", [*choices, "fetch"]) == "Did you mean 'fetch'?"
    found = [Problem(code="a", pointer="", message="b", remedy="c")] * 50
    assert did_you_mean("fetsch", ["fetch"], found) == ""


def test_a_list_of_problems_is_bounded_and_counts_the_rest() -> None:
    problems = ProblemList()
    problem = Problem(code="a", pointer="", message="b", remedy="c")
    problems.extend([problem] * (MAX_PROBLEMS + 5))
    problems.append(problem)
    assert (len(problems), problems.left_out) == (MAX_PROBLEMS, 6)
    note, *kept = problems.told()
    assert "6 more problems" in note.message
    assert kept == problems


def test_kinds_are_named_in_the_words_of_json() -> None:
    values: list[Any] = [None, True, 1, 1.5, "a", [], {}, Blob.from_bytes(b"")]
    assert [kind_of(value) for value in values] == [
        *("null", "a boolean", "a number", "a number", "a string", "an array", "an object", "Blob"),
    ]


def test_a_value_that_shares_its_parts_over_and_over_is_refused_at_once() -> None:
    value: Any = {"a": 1}
    for _ in range(60):
        value = {"left": value, "right": value}
    with pytest.raises(NotAValue) as caught:
        check_value(value)
    assert caught.value.code == "json.too_large"


def test_a_long_part_that_stands_many_times_is_looked_at_once() -> None:
    shared = [1] * 10_000
    started = time.process_time()
    with pytest.raises(NotAValue) as caught:
        check_value([shared] * 100_000)
    assert caught.value.code == "json.too_large"
    assert time.process_time() - started < 20  # a billion numbers take longer than a minute


def test_a_shared_part_is_as_deep_as_where_it_stands_deepest() -> None:
    shared: Any = [[]]
    for _ in range(40):
        shared = [shared]
    rows: Any = [[number] for number in range(600_001)]  # so many that parts are remembered
    check_value([shared, rows, [[shared]]])
    deep: Any = shared
    for _ in range(23):
        deep = [deep]
    with pytest.raises(NotAValue) as caught:
        check_value([rows, shared, [deep]])
    assert caught.value.code == "json.too_deep"


def test_a_large_value_whose_parts_are_its_own_is_one() -> None:
    check_value([[number, "x"] for number in range(600_001)])
    with pytest.raises(NotAValue) as caught:
        check_value([*([number, "x"] for number in range(600_001)), {1: 2}])
    assert caught.value.pointer == "/600001"
