"""What the functions give that Flownodes adds to those of JMESPath, and what they refuse."""

import hashlib
from typing import Any

import pytest
from flowcore.errors import FatalNodeError
from flowruntime.expressions import ExpressionError, compile_expression
from flowruntime.expressions.functions import known_functions
from hypothesis import given
from hypothesis import strategies as st

BIG = 2**63 - 1
DATA: dict[str, Any] = {
    "n": None,
    "text": " Añb ",
    "list": [1, 2],
    "big": BIG,
    "small": -(2**63),
    "huge": 1e308,
    "off": False,
    "empty": "",
    "object": {"a": 1},
}


def value_of(text: str, data: Any = DATA) -> Any:
    return compile_expression(text, None)(data)


def failure_of(text: str, data: Any = DATA) -> FatalNodeError:
    with pytest.raises(FatalNodeError) as caught:
        value_of(text, data)
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("iif(list, 'some', 'none')", "some"),
        ("iif(empty, 'some', 'none')", "none"),
        ("iif(`0`, 'zero is true', 'no')", "zero is true"),
        ("iif(n, n, n)", None),
        ("default(n, 'x')", "x"),
        ("default(not.there, 'x')", "x"),
        ("default(off, 'x')", False),
        ("default(empty, 'x')", ""),
        ("default(n, n)", None),
        ("add(`1`, `2`)", 3),
        ("add(`1`, `0.5`)", 1.5),
        ("sub(big, `1`)", BIG - 1),
        ("add(small, `0`)", -(2**63)),
        ("mul(`3037000499`, `3037000499`)", 3037000499**2),
        ("div(`6`, `2`)", 3),
        ("div(big, `1`)", BIG),
        ("div(`7`, `2`)", 3.5),
        ("mod(`7`, `3`)", 1),
        ("mod(`-1`, `7`)", 6),
        ("mod(`1`, `-7`)", -6),
        ("mod(`5.5`, `2`)", 1.5),
        ("split('a,b,,c', ',')", ["a", "b", "", "c"]),
        ("split('añ', '')", ["a", "ñ"]),
        ("split('', ',')", [""]),
        ("replace('a-b-c', '-', '+')", "a+b+c"),
        ("replace('a.b', '.', '')", "ab"),
        ("trim(text)", "Añb"),
        ("lower('ÄB')", "äb"),
        ("upper('straße')", "STRASSE"),
        ("""from_json('{"a": [1, null]}')""", {"a": [1, None]}),
        ("from_json('9223372036854775807')", BIG),
        ("b64encode('añb')", "YcOxYg=="),
        ("b64decode('YcOxYg==')", "añb"),
        ("b64decode('YcOxYg')", "añb"),
        ("b64decode('fn4_')", "~~?"),
        ("hash('')", hashlib.sha256(b"").hexdigest()),
        ("hash('ñ', 'sha512')", hashlib.sha512("ñ".encode()).hexdigest()),
        ("hash('a', 'sha1')", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        ("hash('a', 'md5')", "0cc175b9c0f1b6a831c399e269772661"),
        ("list[*].add(@, `1`)", [2, 3]),
        ("map(&mul(@, @), list)", [1, 4]),
    ],
)
def test_a_function_gives(text: str, value: Any) -> None:
    made = value_of(text)
    assert (made, type(made)) == (value, type(value))


def test_only_the_chosen_value_is_evaluated() -> None:
    assert value_of("iif(n, length(n), 'none')") == "none"
    assert value_of("iif(list, 'some', length(n))") == "some"
    assert value_of("default(list, length(n))") == [1, 2]
    assert "length()" in failure_of("iif(list, length(n), 'none')").message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("add(big, `1`)", "add() gives a number beyond 64 bit"),
        ("sub(small, `1`)", "sub() gives a number beyond 64 bit"),
        ("mul(big, `2`)", "mul() gives a number beyond 64 bit"),
        ("mul(huge, `10`)", "mul() gives a number beyond the range of numbers"),
        ("div(`1`, `0`)", "div() divides by zero"),
        ("div(`1`, `0.0`)", "div() divides by zero"),
        ("mod(`1`, `0`)", "mod() divides by zero"),
        ("add('1', `2`)", "add() takes number as argument 1, and got string"),
        ("add(`1`, off)", "add() takes number as argument 2, and got boolean"),
        ("add(`1`, n)", "add() takes number as argument 2, and got null"),
        ("trim(n)", "trim() takes string, and got null"),
        ("split(list, ',')", "split() takes string as argument 1, and got array"),
        ("replace('a', '', 'b')", "replace() has nothing to look for: argument 2 is empty"),
        ("from_json('{')", "from_json() cannot read argument 1: it is no strict JSON [json.syntax]"),
        ("from_json('NaN')", "from_json() cannot read argument 1: it is no strict JSON [json.not_a_number]"),
        ("from_json('18446744073709551616')", "it is no strict JSON [json.integer_range]"),
        ("b64decode('_-4')", "b64decode() gives bytes that are no UTF-8 text"),
        ("b64decode('?')", "b64decode() cannot read argument 1: it is no Base64"),
        ("b64decode('ñ')", "b64decode() cannot read argument 1: it is no Base64"),
        ("hash('a', 'crc32')", "hash() does not know the algorithm in argument 2"),
        ("hash(`1`)", "hash() takes string, and got number"),
    ],
)
def test_a_function_refuses_with_its_name_and_the_argument(text: str, reason: str) -> None:
    failed = failure_of(text)
    assert failed.message.endswith(f"{reason}.")
    assert failed.code == "expression.failed"
    assert failed.remedy


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("trim(n)", "default(VALUE, 'text')"),
        ("trim(list)", "to_string(VALUE)"),
        ("add('1', `2`)", "to_number(VALUE)"),
        ("div(`1`, `0`)", "iif(b == `0`, …, …)"),
        ("hash('a', 'crc32')", "sha256, sha512, sha1, md5"),
    ],
)
def test_the_remedy_says_what_to_write(text: str, remedy: str) -> None:
    assert remedy in failure_of(text).remedy


def test_the_error_points_at_the_innermost_call_that_failed() -> None:
    assert " failed at column 7: trim() " in failure_of("[upper(trim(n))]").message
    assert " failed at column 5: trim() " in failure_of("list.trim(n)").message


def test_no_value_stands_in_an_error() -> None:
    for text in ("from_json(s)", "b64decode(s)", "hash('a', s)", "date_add(s, `1`, 'day')", "add(s, `1`)"):
        failed = failure_of(text, {"s": "?hunter2"})
        assert "hunter2" not in f"{failed.message}{failed.remedy}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("iif(a, b)", "The function 'iif' takes 3 arguments, not 2."),
        ("now('a', 'b')", "The function 'now' takes 0 to 1 argument, not 2."),
        ("uuid(a)", "The function 'uuid' takes no arguments, not 1."),
        ("hash()", "The function 'hash' takes 1 to 2 arguments, not 0."),
        ("trim(&a)", "Argument 1 of the function 'trim' is a value, not an expression."),
    ],
)
def test_a_call_that_cannot_be_right_is_refused_when_it_is_compiled(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, None)
    assert (caught.value.code, caught.value.message) == ("expression.function", message)


def test_every_function_is_known_with_its_usage() -> None:
    known = known_functions()
    ours = (
        "iif default now date_add format_date parse_date split replace trim lower upper from_json add sub mul div mod"
    )
    assert {*ours.split(), "b64encode", "b64decode", "uuid", "hash", "length", "sort_by"} <= known.keys()
    assert known["hash"] == "hash(string[, string])"


INTEGERS = st.integers(-(2**63), 2**63 - 1)


@given(INTEGERS, INTEGERS)
def test_integers_are_exact_or_refused(left: int, right: int) -> None:
    data = {"a": left, "b": right}
    for name, result in {"add": left + right, "sub": left - right, "mul": left * right}.items():
        if -(2**63) <= result < 2**63:
            assert value_of(f"{name}(a, b)", data) == result
        else:
            assert "beyond 64 bit" in failure_of(f"{name}(a, b)", data).message
    if right:
        rest = value_of("mod(a, b)", data)
        assert (left - rest) % right == 0
        assert abs(rest) < abs(right)


@given(st.text())
def test_base64_gives_back_what_went_in(text: str) -> None:
    assert value_of("b64decode(b64encode(@))", text) == text
