"""Checks what `flow eval` prints, how it points at what is wrong, and its exit codes."""

import json

import pytest

from apps.flowcli.tests.flow_command import Flow

DATA = '{"user": {"name": "Ada", "tags": ["x", "y"]}, "n": 2}'


@pytest.fixture
def flow(flow_inside: Flow) -> Flow:
    """All of this can be seen from inside of one process."""
    return flow_inside


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("user.name", "Ada"),
        ("user.tags[0]", "x"),
        ("add(n, `1`)", 3),
        ("nothing", None),
        ("@", json.loads(DATA)),
        ("${{ input.n }}", 2),
        ("${{ input.user.name }} has ${{ length(input.user.tags) }} tags $${{", "Ada has 2 tags ${{"),
        ("${{ input.user.tags }}!", '["x","y"]!'),
    ],
)
def test_the_value_is_written_as_json(flow: Flow, text: str, value: object) -> None:
    ended = flow("eval", text, "--input", DATA)
    assert (ended.code, ended.json, ended.err) == (0, value, "")
    assert flow("eval", text, "--input", DATA, "--json").json == {"value": value}


def test_the_data_may_come_from_a_file_or_from_stdin_and_be_anything(flow: Flow) -> None:
    flow.write("data.json", "[1, 2, 3]")
    assert flow("eval", "sum(@)", "--input", "@data.json").json == 6
    assert flow("eval", "length(@)", "--input", "@-", stdin='"abc"').json == 3
    assert flow("eval", "@").json == {}


def test_a_literal_without_its_backticks_gives_a_warning_beside_the_value(flow: Flow) -> None:
    ended = flow("eval", "user.tags[?@ == null]", "--input", DATA)
    assert (ended.code, ended.json) == (0, [])
    assert "warning: 'null' is the name of a field here" in ended.err
    assert "write `null`, in backticks" in ended.err


def test_now_and_uuid_answer(flow: Flow) -> None:
    now, one, other = flow("eval", "[now(), uuid(), uuid()]").json
    assert now.endswith("Z")
    assert one != other
    assert flow("eval", "uuid()").json != flow("eval", "uuid()").json


@pytest.mark.parametrize(
    ("text", "column", "remedy"),
    [
        ("a + b", 2, "add(a, b)"),
        ("[lenght(a)]", 1, "Did you mean 'length'"),
        ("x ${{ uper(input.a) }}", 6, "Did you mean 'upper'"),
        ("${{ input.a }} ${{ trim() }}", 19, "Write trim(string)"),
    ],
)
def test_a_bad_expression_ends_with_2_and_a_caret_below_the_place(
    flow: Flow, text: str, column: int, remedy: str
) -> None:
    ended = flow("eval", text)
    shown, caret, *told = ended.err.splitlines()
    assert (ended.code, ended.out) == (2, "")
    assert (shown, caret) == (f"  {text}", f"  {' ' * column}^")
    assert told[0].startswith("error: ")
    assert remedy in told[1]


def test_an_evaluation_that_fails_ends_with_1_and_a_caret_below_the_call(flow: Flow) -> None:
    ended = flow("eval", "[n, trim(n)]", "--input", DATA)
    assert ended.code == 1
    assert ended.err.splitlines()[:2] == ["  [n, trim(n)]", "      ^"]
    assert "trim() takes string, and got number" in ended.err


def test_a_long_expression_is_shown_around_the_place(flow: Flow) -> None:
    ended = flow("eval", f"[{'a, ' * 100}trim(n){', a' * 100}]")
    shown, caret, *_ = ended.err.splitlines()
    assert len(shown) < 100
    assert shown[caret.index("^") :].startswith("trim(n)")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["${{ foo.a }}"], "expression.root"),
        (["${{ input.a"], "expression.syntax"),
        (["a +"], "expression.syntax"),
        ([""], "expression.syntax"),
        (["a", "--input", "{"], "json.syntax"),
        (["a", "--input", "@gone.json"], "file.missing"),
    ],
)
def test_what_is_wrong_is_told_to_programs_too(flow: Flow, words: list[str], code: str) -> None:
    ended = flow("eval", *words, "--json")
    assert ended.code == 2
    assert ended.json["error"]["code"] == code
    failed = flow("eval", "trim(n)", "--json")
    assert (failed.code, failed.json["error"]["code"]) == (1, "expression.failed")


def test_it_is_listed_among_the_commands(flow: Flow) -> None:
    assert "evaluate an expression" in flow().err
