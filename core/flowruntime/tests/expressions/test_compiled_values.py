"""Values with expressions in them: what is compiled, what is left alone, what it resolves to."""

from typing import Any

import pytest
from flowcore.errors import FatalNodeError, Problem
from flowcore.validation import Reference
from flowcore.values import BLOB_KEY, Blob, freeze
from flowruntime.authoring import DataExpression, Expression
from flowruntime.expressions import (
    BARE_ROOTS,
    CONFIG_ROOTS,
    FIXED_INPUT_ROOTS,
    OUTPUT_ROOTS,
    CompiledValue,
    Places,
    compile_value,
)
from hypothesis import given
from hypothesis import strategies as st

BLOB = Blob.from_bytes(b"x", media_type="text/plain")
ROOTS: dict[str, Any] = {
    "input": {"n": 5, "text": "${{ vars.secret }}"},
    "inputs": {"value": [1, 2]},
    "nodes": {"a": {"x": {"y": 1.5}}, "fetch-data": {"body": "<p>"}},
    "run": {"attempt": 2},
    "vars": {
        "name": "Ada",
        "none": None,
        "yes": True,
        "list": [1, "ü"],
        "object": {"a": 1},
        "blob": BLOB,
    },
    "secrets": {"TOKEN": "hunter2"},
}


def compiled(value: Any, places: Places | None = None, roots: frozenset[str] = CONFIG_ROOTS) -> CompiledValue:
    problems: list[Problem] = []
    made = compile_value(value, pointer="/nodes/0/config", roots=roots, problems=problems, places=places)
    assert problems == []
    return made


def problems_of(value: Any, places: Places | None = None, roots: frozenset[str] = CONFIG_ROOTS) -> list[Problem]:
    problems: list[Problem] = []
    compile_value(value, pointer="/nodes/0/config", roots=roots, problems=problems, places=places)
    return problems


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${{ input.n }}", 5),
        ("${{ vars.yes }}", True),
        ("${{ vars.none }}", None),
        ("${{ vars.missing.field }}", None),
        ("${{ inputs.value }}", [1, 2]),
        ("${{ nodes.a.x }}", {"y": 1.5}),
        ('${{ nodes."fetch-data".body }}', "<p>"),
        ("${{ run.attempt > `1` }}", True),
        ("${{ {n: input.n, one: `1`} }}", {"n": 5, "one": 1}),
    ],
)
def test_a_string_that_is_one_expression_keeps_the_type_of_the_result(text: str, value: Any) -> None:
    resolved = compiled(text).resolve(ROOTS)
    assert resolved == value
    assert type(resolved) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Dear ${{ vars.name }}!", "Dear Ada!"),
        (" ${{ input.n }}", " 5"),
        ("${{ input.n }}${{ input.n }}", "55"),
        ("a${{ vars.none }}b${{ vars.missing }}c", "abc"),
        ("is ${{ vars.yes }}", "is true"),
        ("y ${{ nodes.a.x.y }}", "y 1.5"),
        ("list ${{ vars.list }}", 'list [1,"ü"]'),
        ("object ${{ vars.object }}", 'object {"a":1}'),
        ("$${{ vars.name }} is ${{ vars.name }}", "${{ vars.name }} is Ada"),
        ("blob ${{ vars.blob }}", f'blob {{"$blob":{{"sha256":"{BLOB.sha256}","media_type":"text/plain","size":1}}}}'),
    ],
)
def test_results_inside_a_text_are_written_into_it(text: str, value: str) -> None:
    assert compiled(text).resolve(ROOTS) == value


def test_a_doubled_dollar_is_no_expression() -> None:
    made = compiled({"text": "$${{ vars.name }}"})
    assert made.resolve({}) == {"text": "${{ vars.name }}"}
    assert made.dynamic == ()


def test_data_is_never_scanned() -> None:
    made = compiled({"whole": "${{ input.text }}", "mixed": "a ${{ input.text }}"})
    assert made.resolve(ROOTS) == {"whole": "${{ vars.secret }}", "mixed": "a ${{ vars.secret }}"}


def test_keys_are_never_scanned() -> None:
    made = compiled({"${{ vars.name }}": "${{ vars.name }}"})
    assert made.resolve(ROOTS) == {"${{ vars.name }}": "Ada"}


def test_only_what_leads_to_an_expression_is_rebuilt() -> None:
    made = compiled({"still": {"deep": [1]}, "list": ["a", "${{ input.n }}", {"b": "n=${{ input.n }}"}]})
    first, second = made.resolve(ROOTS), made.resolve({**ROOTS, "input": {"n": 6}})
    assert first == {"still": {"deep": [1]}, "list": ["a", 5, {"b": "n=5"}]}
    assert second == {"still": {"deep": [1]}, "list": ["a", 6, {"b": "n=6"}]}
    assert first["still"] is second["still"]


def test_a_compiled_value_knows_what_it_depends_on() -> None:
    made = compiled({"a/b": ["${{ nodes.x.out }}"], "c": "${{ nodes.y.out || nodes.x.out }} ${{ vars.v }}", "d": 1})
    assert made.roots == {"nodes", "vars"}
    assert made.dynamic == ("/a~1b/0", "/c")
    assert made.references == (
        Reference("x", "out", "/nodes/0/config/a~1b/0"),
        Reference("y", "out", "/nodes/0/config/c"),
        Reference("x", "out", "/nodes/0/config/c"),
    )


@pytest.mark.parametrize("roots", [FIXED_INPUT_ROOTS, OUTPUT_ROOTS])
def test_secrets_can_be_used_in_config_only(roots: frozenset[str]) -> None:
    assert compiled("Bearer ${{ secrets.TOKEN }}").resolve(ROOTS) == "Bearer hunter2"
    (problem,) = problems_of({"token": ["${{ secrets.TOKEN }}"]}, roots=roots)
    assert (problem.code, problem.pointer) == ("expression.root", "/nodes/0/config/token/0")
    assert problem.remedy == "Secrets can be used in a node's config only."


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("${{ vars.a", "expression.syntax"),
        ("${{ }}", "expression.syntax"),
        ("a ${{ vars.a + 1 }} b", "expression.syntax"),
        ("${{ vars.a }} ${{ nope }}", "expression.root"),
        ("${{ lenght(vars.a) }}", "expression.function"),
        ("${{ nodes.* }}", "expression.nodes"),
        ("${{ secrets }}", "expression.secrets"),
        ("${{ " + "a" * 4097 + " }}", "expression.too_long"),
        ("${{" + "a" * 4097 + "}}", "expression.too_long"),
        ("${{ " + "!" * 65 + "vars }}", "expression.too_deep"),
    ],
)
def test_a_faulty_expression_is_a_problem_with_its_place(text: str, code: str) -> None:
    (problem,) = problems_of({"fine": "${{ vars.a }}", "text": text})
    assert (problem.severity, problem.code, problem.pointer) == ("error", code, "/nodes/0/config/text")


def test_the_problem_of_an_open_expression_says_how_to_close_or_escape_it() -> None:
    (problem,) = problems_of("costs ${{ 5")
    assert problem.message == "The '${{' at column 6 has no '}}'."
    assert problem.remedy == "Close it with '}}', or write '$${{' for the text."


def test_all_faulty_strings_of_a_value_are_told() -> None:
    found = problems_of({"a": "${{ nope }}", "b": [{"c": "${{ vars.a + 1 }}"}, "${{"]})
    assert [problem.pointer for problem in found] == [f"/nodes/0/config{place}" for place in ("/a", "/b/0/c", "/b/1")]


def test_a_field_with_a_bare_expression_becomes_one_and_is_not_searched() -> None:
    places = Places(expressions={("when",): BARE_ROOTS, ("pick",): None})
    made = compiled({"when": "inputs.value[0] == '${{'", "pick": "nodes.a"}, places)
    resolved = made.resolve({})
    assert type(resolved["when"]) is Expression
    assert type(resolved["pick"]) is DataExpression
    assert resolved["when"]({"inputs": {"value": ["${{"]}}) is True
    assert resolved["pick"]({"nodes": {"a": 1}}) == 1
    assert (made.dynamic, made.references) == ((), ())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("${{ inputs.value }}", "expression.syntax"),
        ("nodes.a.x", "expression.root"),
        ("secrets.TOKEN", "expression.root"),
        ("inputs.value >", "expression.syntax"),
    ],
)
def test_a_faulty_bare_expression_is_a_problem(text: str, code: str) -> None:
    places = Places(expressions={("cases", 0, "when"): BARE_ROOTS})
    (problem,) = problems_of({"cases": [{"when": text}]}, places)
    assert (problem.code, problem.pointer) == (code, "/nodes/0/config/cases/0/when")


@pytest.mark.parametrize("value", [None, 5, ["${{ nope }}"], {"a": "${{ nope }}"}])
def test_a_bare_expression_that_is_no_text_is_left_to_the_schema(value: Any) -> None:
    assert compiled({"when": value}, Places(expressions={("when",): BARE_ROOTS})).resolve({}) == {"when": value}


def test_a_document_inside_a_config_is_not_searched_and_what_it_was_made_into_takes_its_place() -> None:
    body = freeze({"nodes": [{"config": {"url": "${{ input.item }} ${{"}}]})
    ready = object()
    made = compiled({"body": body, "times": "${{ input.n }}"}, Places(workflows={("body",): ready}))
    assert made.resolve(ROOTS) == {"body": ready, "times": 5}
    assert made.dynamic == ("/times",)


def test_a_static_field_may_use_vars_and_secrets_only() -> None:
    places = Places(static={("pool",)})
    value = {"pool": {"dsn": "db://${{ secrets.TOKEN }}@${{ vars.name }}"}, "query": "${{ inputs.value }}"}
    assert compiled(value, places).resolve(ROOTS)["pool"] == {"dsn": "db://hunter2@Ada"}
    for root in ("input.n", "inputs.value", "nodes.a.x", "run.attempt"):
        (problem,) = problems_of({"pool": {"dsn": f"${{{{ {root} }}}}"}}, places)
        assert (problem.code, problem.pointer) == ("expression.root", "/nodes/0/config/pool/dsn")
        assert problem.remedy == "This field is resolved once, before anything runs: use vars or secrets."


def test_an_expression_that_cannot_be_evaluated_fails_with_its_text() -> None:
    with pytest.raises(
        FatalNodeError, match=r"The expression 'length\(input.n\)' in /nodes/0/config/a/0 failed at column 0: "
    ):
        compiled({"a": ["n: ${{ length(input.n) }}"]}).resolve(ROOTS)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text().filter(lambda key: key != BLOB_KEY), inner)
)


@given(JSON.filter(lambda value: "${{" not in repr(value)))
def test_a_value_without_expressions_resolves_to_itself(value: Any) -> None:
    for given_value in (value, freeze(value)):
        made = compiled(given_value)
        assert made.resolve({}) == value
        assert (made.dynamic, made.roots, made.references) == ((), frozenset(), ())


@given(JSON)
def test_whatever_stands_in_the_data_comes_out_unchanged(value: Any) -> None:
    assert compiled({"a": "${{ input.value }}"}).resolve({"input": {"value": value}}) == {"a": value}


@given(st.text())
def test_a_text_goes_into_a_text_as_it_is(text: str) -> None:
    assert compiled("<${{ input.text }}>").resolve({"input": {"text": text}}) == f"<{text}>"


@pytest.mark.parametrize(
    "written", ["${{ [input.a] }}", "${{ {b: input.a} }}", "${{ to_array(input.b) }}", ["${{ input.a }}"]]
)
def test_members_that_nest_deeper_than_what_they_are_made_of_are_checked(written: Any) -> None:
    deep: Any = 1
    for _ in range(64):
        deep = [deep]
    roots = {"input": {"a": deep, "b": {"a": deep}}}
    outputs = {"fine": "${{ input.a }}", "r": written}
    compiled = compile_value(outputs, pointer="/outputs", roots=OUTPUT_ROOTS, problems=[], checked=True)
    with pytest.raises(FatalNodeError, match="in /outputs/r make cannot be used: the value is nested deeper") as caught:
        compiled.resolve(roots)
    assert caught.value.code == "expression.not_a_value"
    compile_value(outputs, pointer="/outputs", roots=OUTPUT_ROOTS, problems=[]).resolve(roots)
    assert compiled.resolve({"input": {"a": 1, "b": 2}})["fine"] == 1


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("${{ vars.people[?active == true] }}", ["true"]),
        ("${{ vars.people[?a == null || b == false].name }}", ["false", "null"]),
        ("${{ vars.people | [?true] }}", ["true"]),
        ("${{ map(&null, vars.people) }}", ["null"]),
        ("${{ vars.people[?active == `true` && a != 'null' && b.null && @.true] }}", []),
        ("${{ vars.null }} null ${{ {true: vars.a} }}", []),
    ],
)
def test_a_literal_without_its_backticks_in_a_filter_gives_a_warning(text: str, names: list[str]) -> None:
    problems = problems_of({"field": text})
    assert [problem.remedy for problem in problems] == [
        f"For the value write `{name}`, in backticks; for a field of that name @.{name}." for name in names
    ]
    assert {(problem.severity, problem.code, problem.pointer) for problem in problems} <= {
        ("warning", "expression.constant", "/nodes/0/config/field")
    }


def test_a_literal_without_its_backticks_gives_a_warning_in_expressions_over_data() -> None:
    places = Places(expressions={("over_data",): None, ("bare",): BARE_ROOTS})
    problems = problems_of({"over_data": "true", "bare": "inputs.a[?@ != null]"}, places)
    assert [(problem.pointer, problem.message[:6]) for problem in problems] == [
        ("/nodes/0/config/over_data", "'true'"),
        ("/nodes/0/config/bare", "'null'"),
    ]
    assert problems_of({"over_data": "true_or_null == `null`"}, places) == []
