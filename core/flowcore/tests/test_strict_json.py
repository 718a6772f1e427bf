"""Strict JSON: what it refuses, where it says the fault is, and that it stays quick on hostile texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flowcore.errors import MAX_PROBLEMS
from flowcore.values import MAX_DEPTH, MAX_DOCUMENT_BYTES, Blob, pointer_of, read_json, write_json
from hypothesis import given

from core.flowcore.tests.workflow_strategies import JSON


def faults(text: str | bytes) -> list[tuple[str, str]]:
    """Code and pointer of every problem."""
    parsed = read_json(text)
    assert parsed.value is None or not parsed.problems
    assert all(problem.message and problem.remedy for problem in parsed.problems)
    return [(problem.code, problem.pointer) for problem in parsed.problems]


@given(JSON)
def test_json_means_what_it_means_to_the_standard_library(value: Any) -> None:
    for text in (json.dumps(value), write_json(value), write_json(value, indent=2).encode()):
        parsed = read_json(text)
        assert parsed.problems == ()
        assert parsed.value == value
        assert repr(parsed.value) == repr(value)  # 1, 1.0, true and -0.0 stay apart


@pytest.mark.parametrize(
    "text", ["", "{", "nul", "{'a': 1}", '{"a": 1,}', "[1] 2", '"\t"', "01", "\x00", '"\\x"', "{1: 2}", b"{\x00}"]
)
def test_what_is_not_json_is_refused_with_line_and_column(text: str | bytes) -> None:
    assert faults(text) == [("json.syntax", "")]
    assert "line 1, column" in read_json(text).problems[0].message


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_another_encoding_than_utf_8_is_named(encoding: str) -> None:
    text = '{"name": "Grüße"}'.encode(encoding)
    assert faults(text) == [("json.encoding", "")]
    assert "UTF-8" in read_json(text).problems[0].remedy


@pytest.mark.parametrize("text", ["\ufeff[1]", b"\xef\xbb\xbf[1]"])
def test_a_byte_order_mark_is_passed_over(text: str | bytes) -> None:
    assert read_json(text).value == [1]


def test_all_faults_of_a_text_come_at_once_with_their_places() -> None:
    text = '{"a": [NaN, {"b": -Infinity}], "c/d": 18446744073709551616, "e": {"f": 1, "f": 1e999}, "g": 1e400}'
    assert faults(text) == [
        ("json.not_a_number", "/a/0"),
        ("json.not_a_number", "/a/1/b"),
        ("json.integer_range", "/c~1d"),
        ("json.duplicate_key", "/e"),
        ("json.number_range", "/e/f"),
        ("json.number_range", "/g"),
    ]


def test_duplicate_keys_are_named() -> None:
    problem = read_json('{"b": 1, "a": 1, "b": 2, "a": 3, "c": 4}').problems[0]
    assert "'a', 'b'" in problem.message


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 0])
def test_integers_of_64_bit_are_exact(number: int) -> None:
    assert read_json(str(number)).value == number


@pytest.mark.parametrize("number", [str(2**63), str(-(2**63) - 1), str(2**64), "9" * 5000, "-" + "9" * 5000])
def test_integers_beyond_64_bit_are_refused(number: str) -> None:
    assert faults(number) == [("json.integer_range", "")]
    assert len(read_json(number).problems[0].message) < 100


@pytest.mark.parametrize("brackets", ["[]", ("[{", "}]")])
def test_the_deepest_nesting_allowed_is_read_and_one_more_refused(brackets: tuple[str, str]) -> None:
    opening, closing = brackets
    filler = '"a":' if len(opening) > 1 else ""
    depth = MAX_DEPTH // len(opening)
    good = (opening + filler) * depth + "1" + closing * depth
    assert faults(good) == []
    assert faults(f"[{good}]") == [("json.too_deep", "")]


def test_a_hundred_thousand_levels_are_refused() -> None:
    assert faults("[" * 100_000) == [("json.too_deep", "")]
    assert faults('{"a":' * 100_000 + "1" + "}" * 100_000) == [("json.too_deep", "")]


def test_brackets_in_strings_are_not_nesting() -> None:
    value = {'"[' * 100: ["\\[{" * 100, '\\"[' * 100]}
    assert read_json(json.dumps(value)).value == value


@pytest.mark.parametrize("piece", ['"\\', '"', '"a', "\\", '\\"', '["', '"\\\\'])
def test_unfinished_strings_cost_no_more_than_their_length(piece: str) -> None:
    # With a scan that started anew at each quote, each of these would take hours.
    text = "[" * (MAX_DEPTH + 1) + piece * (8_000_000 // len(piece))
    assert faults(text) in ([("json.too_deep", "")], [("json.syntax", "")])


def test_a_text_of_ten_megabytes_is_refused_unread() -> None:
    text = b'{"a": "' + b"x" * 10_000_000 + b'"}'
    assert faults(text) == [("json.too_large", "")]
    assert "9.5 MiB, the limit is 8 MiB" in read_json(text).problems[0].message
    assert read_json(text, max_bytes=len(text)).problems == ()
    assert len(text) > MAX_DOCUMENT_BYTES


def test_half_a_surrogate_pair_is_refused_as_value_and_as_key() -> None:
    assert faults('{"a": ["\\ud83d"]}') == [("json.surrogate", "/a/0")]
    assert faults('{"a": {"\\ude00": 1}}') == [("json.surrogate", "/a")]
    assert faults('{"a": "\ud83d"}') == [("json.surrogate", "/a")]
    assert read_json('"\\ud83d\\ude00"').value == "😀"


def test_a_fault_under_a_key_that_is_no_text_can_still_be_printed() -> None:
    problems = read_json('{"\\ud800": NaN}').problems
    assert [problem.pointer.encode() for problem in problems] == [b"", b"/\\ud800"]


def test_the_number_of_problems_is_bounded() -> None:
    problems = read_json("[" + "NaN," * 5000 + "NaN]").problems
    assert len(problems) == MAX_PROBLEMS + 1
    assert (problems[0].code, problems[0].pointer) == ("document.more_problems", "")
    assert f"{5001 - MAX_PROBLEMS} more problems" in problems[0].message


def test_blobs_are_written_as_their_references() -> None:
    blob = Blob.from_bytes(b"hello", media_type="text/plain")
    assert json.loads(write_json([blob])) == [{"$blob": {"sha256": blob.sha256, "media_type": "text/plain", "size": 5}}]


def test_nan_and_foreign_objects_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(float("nan"))
    with pytest.raises(TypeError, match="set is not JSON"):
        write_json({1, 2})


def test_pointers_escape_slashes_and_tildes() -> None:
    assert pointer_of("a/b", 0, "~1") == "/a~1b/0/~01"
