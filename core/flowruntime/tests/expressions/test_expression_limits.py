"""How far an evaluation may go: expression bombs are stopped before they cost anything."""

import time
import tracemalloc
from typing import Any

import pytest
from flowcore.errors import FatalNodeError
from flowruntime.expressions import ExpressionError, compile_expression
from flowruntime.expressions.analysis import analyse
from flowruntime.expressions.evaluating import search_of
from flowruntime.expressions.limits import LIMITS, UNLIMITED, Limits
from flowruntime.expressions.parsing import MAX_EXPRESSION_DEPTH

MEBI = 1024 * 1024


def doubled(start: str, step: str, times: int) -> str:
    return start + f" | {step}" * times


#: Each doubles or more at every step; without limits the largest would take hundreds of gigabytes.
BOMBS = {
    "texts that are joined": doubled("'0123456789abcdef'", "join('', [@, @])", 24),
    "lists in lists": doubled("`[1]`", "[@, @]", 60),
    "lists in objects": doubled("`[1]`", "{a: @, b: @}", 60),
    "lists that are flattened": doubled("`[1]`", "[@, @][]", 60),
    "lists that are flattened by a projection": doubled("`[1]`", "[@, @][*][]", 40),
    "texts of lists": doubled("`[1]`", "[@, @]", 40) + " | to_string(@)",
    "texts of texts": doubled("'\"'", "to_string([@])", 60),
    "lists that are mapped": doubled("`[1, 2]`", "map(&[@, @], @)[]", 40),
    "texts that are replaced": doubled("'aaaaaaaa'", "replace(@, 'a', 'aaaaaaaa')", 12),
    "texts in capitals": doubled("'ΐΐΐΐ'", "upper(join('', [@, @, @]))", 20),
    "objects that are compared": f"({doubled('@', '[@, @]', 40)}) == ({doubled('@', '[@, @]', 40)})",
    "lists that are searched": f"contains({doubled('`[1]`', '[@, @]', 40)}, {doubled('`[1]`', '[@, @]', 40)})",
    "texts as Base64": doubled("'abcdefgh'", "b64encode(join('', [@, @]))", 24),
    "one large text many times": doubled("[input]", "[@, @]", 30),
    "a text cut to pieces": "split(input, '')",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_stopped_before_it_takes_memory_or_time(name: str) -> None:
    text = BOMBS[name]
    assert len(text) < 4096
    data = {"input": "x" * (2 * MEBI)}
    search = search_of(text, analyse(text, None))
    tracemalloc.start()
    begin = time.process_time()
    try:
        with pytest.raises(FatalNodeError) as caught:
            search(data)
        assert tracemalloc.get_traced_memory()[1] < 40 * MEBI
    finally:
        tracemalloc.stop()
    assert time.process_time() - begin < 10
    assert caught.value.code in {"expression.too_large", "expression.too_many_steps"}
    limit = "1 048 576 characters or elements" if caught.value.code == "expression.too_large" else "100 000 steps"
    assert limit in caught.value.message


@pytest.mark.parametrize("made", ["[@]", "split(@, ',')", "from_json(to_string([@]))", "{a: @}"])
def test_what_is_in_a_list_several_times_weighs_with_all_that_passes_through_it(made: str) -> None:
    """Otherwise a text of 60,000 letters becomes one of 6 GB where the value is written down."""
    text = "x" * 60_000
    tenfold = f"[{', '.join('@' * 10)}]"
    assert compile_expression(f"{made} | [@, @]", None)(text)
    with pytest.raises(FatalNodeError, match="1 048 576 characters or elements"):
        compile_expression(" | ".join([made, *[tenfold] * 5]), None)(text)


def test_measuring_what_is_there_several_times_takes_steps() -> None:
    data = [{"large": [0] * 100_000}] * 200
    with pytest.raises(FatalNodeError, match="100 000 steps"):
        compile_expression("map(&length([large] | [@, @]), @)", None)(data)


def test_without_limits_a_bomb_of_400_characters_builds_64_mebibytes() -> None:
    text = doubled("'0123456789abcdef'", "join('',[@,@])", 22)
    assert len(text) < 400
    assert len(search_of(text, analyse(text, None), limits=UNLIMITED)({})) == 64 * MEBI
    with pytest.raises(FatalNodeError, match="1 048 576 characters"):
        search_of(text, analyse(text, None))({})


@pytest.mark.parametrize("text", ["[*].a", "[?a]", "map(&a, @)", "[].a", "sort_by(@, &a)", "max_by(@, &a)"])
def test_steps_are_counted(text: str) -> None:
    data = [{"a": number} for number in range(1000)]
    analysis = analyse(text, None)
    assert search_of(text, analysis, limits=Limits(steps=5000))(data) is not None
    with pytest.raises(FatalNodeError, match="more than the limit of 500 steps") as caught:
        search_of(text, analysis, limits=Limits(steps=500))(data)
    assert caught.value.code == "expression.too_many_steps"


def test_many_quick_functions_over_much_data_are_stopped() -> None:
    text = f"[{', '.join(['sum(@)'] * 300)}]"
    with pytest.raises(FatalNodeError, match="100 000 steps"):
        compile_expression(text, None)(list(range(MEBI)))


@pytest.mark.parametrize(
    "text",
    ["body", "{body: body, n: length(body)}", "[body]", "body || 'none'", "iif(body, body, body)", "default(body, n)"],
)
@pytest.mark.parametrize("body", ["x" * (4 * MEBI), list(range(2 * MEBI))])
def test_what_only_passes_through_may_be_of_any_size(text: str, body: Any) -> None:
    value = compile_expression(text, None)({"body": body})
    held = value if value is body else value["body"] if isinstance(value, dict) else value[0]
    assert held is body


def test_what_is_in_a_result_twice_counts_with_all_it_holds() -> None:
    analysis = analyse("{a: @, b: @}", None)
    search = search_of("{a: @, b: @}", analysis, limits=Limits(size=1000))
    assert search(list(range(900)))["b"][5] == 5
    with pytest.raises(FatalNodeError, match="1 000 characters or elements"):
        search(list(range(1100)))
    with pytest.raises(FatalNodeError, match="1 000 characters or elements"):
        search("x" * 1100)


def test_ordinary_work_stays_far_below_the_limits() -> None:
    people = [{"name": f"p{number}", "age": number % 90, "tags": ["a", "b"]} for number in range(5000)]
    expression = compile_expression("[?age > `30`].{name: upper(name), tags: join(', ', tags)} | [:10]", None)
    assert len(expression(people)) == 10


def test_the_text_of_an_expression_is_bounded_in_length_and_depth() -> None:
    compile_expression("a" + " || a" * 60, None)
    for text, code in {
        "a." + "a" * 4096: "expression.too_long",
        "(" * 200 + "a" + ")" * 200: "",
        "!" * (MAX_EXPRESSION_DEPTH + 1) + "a": "expression.too_deep",
        "not_null(" * 400 + "a" + ")" * 400: "expression.too_deep",
    }.items():
        if not code:
            compile_expression(text, None)  # parentheses alone make no deeper tree
            continue
        with pytest.raises(ExpressionError) as caught:
            compile_expression(text, None)
        assert caught.value.code == code


def dense_json(count: int) -> str:
    return f"[{','.join(['[]'] * count)}]"


#: A tenth of what may be read, with a tenth of the steps: memory is traced slowly.
DENSE_JSON = dense_json(34_900)
WIDE_TEXT = "".join(map(chr, range(0x10000, 0x10000 + 6_000)))
TENTH = Limits(steps=LIMITS.steps // 10)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (f"[{', '.join(['from_json(@)'] * 5)}]", DENSE_JSON),
        (" || ".join(["from_json(@).x"] * 60), DENSE_JSON),
        ("map(&length(from_json(@)), @)", [DENSE_JSON] * 20),
        (f"[{', '.join(['split(@, join(@, `[]`))'] * 100)}]", WIDE_TEXT),
        ("map(&parse_date(replace(@, '%m', '1'), @), @)", [f"%m{'x' * 2_000}{number}" for number in range(160)]),
    ],
    ids=["JSON read five times", "JSON read and dropped", "JSON read for each", "texts cut to pieces", "long patterns"],
)
def test_what_makes_many_values_of_a_text_is_stopped_before_they_fill_the_memory(text: str, data: Any) -> None:
    search = search_of(text, analyse(text, None), limits=TENTH)
    tracemalloc.start()
    try:
        with pytest.raises(FatalNodeError, match="10 000 steps"):
            search(data)
        assert tracemalloc.get_traced_memory()[1] < 9 * MEBI
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("text", [dense_json(349_000), "[" * 60 + "]" * 60, "[" + "1," * 500_000 + "1]"])
def test_json_of_one_mebibyte_can_be_read(text: str) -> None:
    assert compile_expression("length(from_json(@))", None)(text) >= 1


def test_json_that_is_read_takes_no_more_memory_than_its_value_does() -> None:
    search = compile_expression("length(from_json(@))", None)
    search("[]")
    tracemalloc.start()
    try:
        search(DENSE_JSON)
        assert tracemalloc.get_traced_memory()[1] < 4 * MEBI
    finally:
        tracemalloc.stop()


def test_a_long_pattern_is_checked_without_memory_of_its_letters() -> None:
    search = compile_expression("length(format_date('2024-01-01', @))", None)
    tracemalloc.start()
    try:
        assert search("%%" + "a" * 100_000) == 100_001
        assert tracemalloc.get_traced_memory()[1] < 2 * MEBI
    finally:
        tracemalloc.stop()
