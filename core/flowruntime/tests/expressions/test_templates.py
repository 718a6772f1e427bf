"""Where expressions begin and end in a text."""

import itertools

import pytest
from flowruntime.expressions.templates import Part, Piece, TemplateError, split_template
from hypothesis import example, given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("no expression", ["no expression"]),
        ("${{ vars.a }}", [Piece("vars.a")]),
        ("${{vars.a}}", [Piece("vars.a")]),
        ("${{\n  vars.a\n}}", [Piece("vars.a")]),
        ("a ${{ b }} c ${{ d }}", ["a ", Piece("b"), " c ", Piece("d")]),
        ("${{ a }}${{ b }}", [Piece("a"), Piece("b")]),
        ("${{ }}", [Piece("")]),
        ("}} ${{ a }} }}", ["}} ", Piece("a"), " }}"]),
        ("$ { ${ {{ $x $", ["$ { ${ {{ $x $"]),
    ],
)
def test_a_text_falls_into_literals_and_expressions(text: str, parts: list[Part]) -> None:
    assert split_template(text) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("$${{", ["${{"]),
        ("$${{ a }}", ["${{ a }}"]),
        ("$$${{ a }}", ["$${{ a }}"]),
        ("$${{ a }} ${{ b }}", ["${{ a }} ", Piece("b")]),
        ("${{ a }}$${{ b", [Piece("a"), "${{ b"]),
        ("$${{${{ a }}", ["${{", Piece("a")]),
        ("$${{$${{", ["${{${{"]),
    ],
)
def test_a_doubled_dollar_writes_the_braces(text: str, parts: list[Part]) -> None:
    assert split_template(text) == parts


@pytest.mark.parametrize(
    "expression",
    [
        "{a: {b: c}}",
        "{a: b}",
        "'}}'",
        "'it\\'s }}'",
        '"}}"',
        '"a\\"}}"',
        '`{"a": {"b": 1}}`',
        '`"}}"`',
        '`"\\`}}"`',
        "[{a: '}}'}, {b: `\"}}\"`}]",
        "items[?name == '}} ${{'].{a: b}",
    ],
)
@pytest.mark.parametrize("space", ["", " "])
def test_braces_that_belong_to_the_expression_do_not_end_it(expression: str, space: str) -> None:
    text = f"x${{{{{space}{expression}{space}}}}}y"
    assert split_template(text) == ["x", Piece(expression), "y"]


def test_what_is_wrong_inside_is_left_to_the_parser_up_to_the_nearest_end() -> None:
    assert split_template("${{ a + b }} c }}") == [Piece("a + b"), " c }}"]
    assert split_template("${{ 'open }} b") == [Piece("'open"), " b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${{", "The '${{' at column 0 has no '}}'."),
        ("ab ${{ c", "The '${{' at column 3 has no '}}'."),
        ("${{ a } }", "The '${{' at column 0 has no '}}'."),
        ("${{ a }} ${{ b }", "The '${{' at column 9 has no '}}'."),
        ("${{ 'a }}' ", "The '${{' at column 0 has no '}}' outside of quotes and inner braces."),
        ("${{ {a: b }}", "The '${{' at column 0 has no '}}' outside of quotes and inner braces."),
    ],
)
def test_an_expression_without_end_is_an_error_that_names_its_column(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        split_template(text)
    assert str(caught.value) == message


def test_an_expression_may_have_4096_characters() -> None:
    longest = "a" * 4096
    assert split_template("x ${{" + longest + "}}") == ["x ", Piece(longest)]


def test_a_longer_expression_is_left_to_the_parser_too() -> None:
    too_long = "a" * 5000
    assert split_template("${{ " + too_long + " }} b") == [Piece(too_long), " b"]
    assert split_template("${{" + " " * 5000 + "a}}") == [Piece("a")]


signs = st.text(st.sampled_from(list("${}'\"`\\ ab.[]?*|&=!<>-1")))


@given(signs | st.text())
@example("${{")
@example("${{ `x` }}")
@example("${{ ''}}${{")
def test_splitting_raises_nothing_but_its_own_error(text: str) -> None:
    try:
        parts = split_template(text)
    except TemplateError:
        return
    assert [part for part in parts if part == ""] == []
    assert not any(isinstance(a, str) and isinstance(b, str) for a, b in itertools.pairwise(parts))


@given(signs | st.text())
def test_every_text_can_be_written_as_a_literal(text: str) -> None:
    assert "".join(map(str, split_template(text.replace("${{", "$${{")))) == text


@given(st.text(), st.text())
def test_texts_around_an_expression_stay_as_they_are(before: str, after: str) -> None:
    parts = split_template(f"{before.replace('$', '')}${{{{ a }}}}{after.replace('$', '')}")
    assert "".join(part if isinstance(part, str) else "<a>" for part in parts) == (
        before.replace("$", "") + "<a>" + after.replace("$", "")
    )
