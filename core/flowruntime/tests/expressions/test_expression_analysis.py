"""What an expression may name, and what the errors say to write instead."""

import pytest
from flowruntime.expressions import BARE_ROOTS, CONFIG_ROOTS, FIXED_INPUT_ROOTS, OUTPUT_ROOTS, ExpressionError
from flowruntime.expressions.analysis import analyse
from flowruntime.expressions.parsing import parse
from hypothesis import given
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError
from jmespath.parser import Parser


def fault_of(text: str, roots: frozenset[str] | None = CONFIG_ROOTS) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        analyse(text, roots)
    return caught.value


@pytest.mark.parametrize(
    ("text", "roots", "references"),
    [
        ("input.a", {"input"}, []),
        ("nodes.a.x", {"nodes"}, [("a", "x")]),
        ('nodes."fetch-data".body', {"nodes"}, [("fetch-data", "body")]),
        ('nodes."my id"."p q".z', {"nodes"}, [("my id", "p q")]),
        ("nodes.a.done", {"nodes"}, [("a", "done")]),
        ("(nodes.a).x", {"nodes"}, [("a", "x")]),
        ("nodes.a.x.y[0].z", {"nodes"}, [("a", "x")]),
        ("nodes.a.x[0]", {"nodes"}, [("a", "x")]),
        ("nodes.a.x[0][1]", {"nodes"}, [("a", "x")]),
        ("nodes.a.x[1:2].y", {"nodes"}, [("a", "x")]),
        ("nodes.a.x[*].y", {"nodes"}, [("a", "x")]),
        ("nodes.a.x[].y", {"nodes"}, [("a", "x")]),
        ("nodes.a.x.*", {"nodes"}, [("a", "x")]),
        ("nodes.a.x[?y > `5`].z", {"nodes"}, [("a", "x")]),
        ("nodes.a.x | [0]", {"nodes"}, [("a", "x")]),
        ("nodes.a.x.{b: c}", {"nodes"}, [("a", "x")]),
        ("nodes.a.x || nodes.b.y || nodes.a.x", {"nodes"}, [("a", "x"), ("b", "y")]),
        ("[nodes.b.y, {k: nodes.a.x}]", {"nodes"}, [("b", "y"), ("a", "x")]),
        ("length(nodes.a.x) > run.attempt && !(vars.off)", {"nodes", "run", "vars"}, [("a", "x")]),
        ("sort_by(nodes.a.x, &y)", {"nodes"}, [("a", "x")]),
        ("secrets.TOKEN", {"secrets"}, []),
        ("'text'", set(), []),
        ('`{"a": [1, null]}`', set(), []),
    ],
)
def test_roots_and_references_are_found(text: str, roots: set[str], references: list[tuple[str, str]]) -> None:
    found = analyse(text, CONFIG_ROOTS)
    assert set(found.roots) == roots
    assert list(found.references) == references


@pytest.mark.parametrize(
    "text",
    [
        "inputs.nodes.a.b",
        "inputs[*].nodes",
        "inputs.list[?@.nodes.a == 'x']",
        "inputs | @.nodes",
        "map(&@.nodes, inputs.list)",
        "inputs.{nodes: a}",
    ],
)
def test_a_field_of_the_data_may_be_called_nodes(text: str) -> None:
    assert analyse(text, CONFIG_ROOTS).references == ()


@pytest.mark.parametrize(
    "text",
    [
        "inputs.list[?id == nodes.a.x]",
        "inputs.list[?nodes]",
        "inputs | nodes.a.x",
        "inputs.list[*].{id: id, all: nodes.a.x}",
        "inputs.list[*].[nodes]",
        "map(&nodes.a.x, inputs.list)",
        "sort_by(inputs.list, &nodes.a.x)",
        "inputs.length(nodes.a.x)",
        "nodes.a.x[?y == nodes.b.z]",
        "nodes.a.x | nodes.b.z",
    ],
)
def test_nodes_where_names_belong_to_the_data_is_an_error(text: str) -> None:
    fault = fault_of(text)
    assert fault.code == "expression.nodes"
    assert "inside a filter, after a pipe or behind a &" in fault.message
    assert fault_of(text.replace("nodes.a.x", "nodes"), BARE_ROOTS).code in ("expression.nodes", "expression.root")


@pytest.mark.parametrize(
    "text",
    [
        "nodes",
        "nodes.*",
        "nodes[0]",
        "nodes[*]",
        "nodes | a",
        "keys(nodes)",
        "nodes[?a]",
        "nodes.{a: a.b}",
        "nodes || a",
    ],
)
def test_nodes_without_a_literal_id_is_an_error(text: str) -> None:
    fault = fault_of(text)
    assert (fault.code, fault.message) == (
        "expression.nodes",
        "'nodes' must be followed by a literal node id and a port.",
    )
    assert fault.remedy.startswith("Write nodes.<id>.<port>")


@pytest.mark.parametrize(("key", "why"), [("$blob", "is reserved for Blobs"), ("\\ud800", "surrogate")])
def test_a_key_that_no_object_can_have_is_an_error(key: str, why: str) -> None:
    fault = fault_of(f'{{"{key}": input.a}}')
    assert fault.code == "expression.literal"
    assert fault.message.startswith("An object that the expression makes cannot be used: ")
    assert why in fault.message


def test_a_slice_with_step_0_is_an_error_where_it_stands() -> None:
    fault = fault_of("input.a[1:2].b[5:0:0]")
    assert (fault.code, fault.column, fault.message) == ("expression.syntax", 15, "The step of a slice is 0.")
    assert fault.remedy.startswith("Write 1 for each element")
    assert fault_of("[::0]", None).message == fault.message


@pytest.mark.parametrize("text", ["nodes.a", "nodes.a.*", "nodes.a[]", "nodes.a | b", "nodes.a[?b]", "nodes.a.[b]"])
def test_a_reference_without_a_port_is_an_error(text: str) -> None:
    fault = fault_of(text)
    assert (fault.code, fault.message) == ("expression.nodes", "The reference to node 'a' names no port.")
    assert fault.remedy == "Write nodes.a.<port>."


def test_the_remedy_for_a_missing_port_quotes_the_id() -> None:
    assert fault_of('nodes."a-b"').remedy == 'Write nodes."a-b".<port>.'


@pytest.mark.parametrize("text", ["secrets", "secrets.*", "values(secrets)", "secrets | A", "[secrets]"])
def test_only_single_secrets_can_be_named(text: str) -> None:
    assert fault_of(text).code == "expression.secrets"


@pytest.mark.parametrize(
    ("roots", "name", "remedy"),
    [
        (FIXED_INPUT_ROOTS, "secrets", "Secrets can be used in a node's config only."),
        (OUTPUT_ROOTS, "secrets", "Secrets can be used in a node's config only."),
        (BARE_ROOTS, "secrets", "Secrets can be used in a node's config only."),
        (BARE_ROOTS, "nodes", "Connect that node to a port of this one and write inputs.<port>."),
        (OUTPUT_ROOTS, "inputs", "Did you mean 'input'?"),
        (CONFIG_ROOTS, "var", "Did you mean 'vars'?"),
        (CONFIG_ROOTS, "null", "Write `null`, in backticks."),
        (CONFIG_ROOTS, "json", "Start with one of input, inputs, nodes, run, secrets, vars."),
    ],
)
def test_each_place_has_its_roots(roots: frozenset[str], name: str, remedy: str) -> None:
    fault = fault_of(f"{name}.a.b", roots)
    assert (fault.code, fault.message, fault.remedy) == ("expression.root", f"There is no {name!r} here.", remedy)


def test_a_text_in_double_quotes_is_told_from_a_name() -> None:
    fault = fault_of('vars.state == "open"')
    assert fault.message == "There is no 'open' here."
    assert fault.remedy.startswith("A text stands in single quotes: 'open'.")


@pytest.mark.parametrize("text", ["@", "*", "[0]", "[]", "[*].a", "[?a]", "to_string(@)", "vars.a || @"])
def test_the_whole_scope_is_no_value(text: str) -> None:
    assert fault_of(text).message == "The expression takes the whole scope."


@pytest.mark.parametrize("text", ["@", "*", "[0]", "nodes", "secrets", "anything[?nodes]", "length(@)", "[*].x | [0]"])
def test_an_expression_over_data_may_name_anything(text: str) -> None:
    found = analyse(text, None)
    assert (found.roots, found.references) == (frozenset(), ())


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("nodes.fetch-data.body", 'Write nodes."fetch-data" with the name in double quotes'),
        ("nodes.a.content-type", 'Write nodes.a."content-type" with the name in double quotes'),
        ('nodes."a b".x-y', 'Write nodes."a b"."x-y" with the name in double quotes'),
        ("nodes.5.x", 'Write nodes."5" with the name in double quotes.'),
        ("nodes.größe.x", 'Write nodes."größe" with the name in double quotes.'),
        ("vars.total-1", 'Write vars."total-1" with the name in double quotes; there is no sign for minus.'),
        ("vars.a == 5", "Write the number in backticks: `5`."),
        ("vars.a > -1.5", "Write the number in backticks: `-1.5`."),
        ("5", "Write the number in backticks: `5`."),
        (
            "vars.a + vars.b",
            "JMESPath has no arithmetic signs: write add(a, b) for numbers, join('', [a, b]) for texts.",
        ),
        (
            "vars.a - vars.b",
            "JMESPath has no arithmetic signs: write add(a, b) for numbers, join('', [a, b]) for texts.",
        ),
        (
            "vars.a * vars.b",
            "JMESPath has no arithmetic signs: write add(a, b) for numbers, join('', [a, b]) for texts.",
        ),
        (
            "vars.a / vars.b",
            "JMESPath has no arithmetic signs: write add(a, b) for numbers, join('', [a, b]) for texts.",
        ),
        ("vars.a = 'x'", "Compare with ==."),
        ("vars['a']", "Close what is quoted: 'text', \"name\" or `JSON`; fields are written with a dot."),
        ("'open", "Close what is quoted: 'text', \"name\" or `JSON`; fields are written with a dot."),
        ("${{ vars.a }}", "This field takes a bare expression: leave out ${{ and }}."),
        ("vars.a ? 'x' : 'y'", "See https://jmespath.org for the syntax."),
        ("vars.", "See https://jmespath.org for the syntax."),
        ("join(', (', [vars.a", "Close the '[' at column 12."),
        ("length(vars.a[0]", "Close the '(' at column 6."),
        ("!vars.a", "Put the path into parentheses: !(a.b)."),
        ("vars.list[?!active.since]", "Put the path into parentheses: !(a.b)."),
    ],
)
def test_the_errors_of_syntax_say_what_to_write(text: str, remedy: str) -> None:
    fault = fault_of(text)
    assert fault.code == "expression.syntax"
    assert fault.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vars.a + b", "'vars.a + b' is not JMESPath at column 7 ('+')."),
        ("vars.a[", "'vars.a[' is not JMESPath: it ends too early."),
        ("", "The expression is empty."),
        (" \n", "The expression is empty."),
    ],
)
def test_the_errors_of_syntax_name_the_place(text: str, message: str) -> None:
    assert fault_of(text).message == message


def test_a_long_expression_is_cut_in_messages() -> None:
    fault = fault_of("vars.a + " + "b" * 4000)
    assert len(fault.message) < 300


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("lenght(vars.a)", "There is no function 'lenght'.", "Did you mean 'length'?"),
        ("compute(vars.a)", "There is no function 'compute'.", "The functions are abs, "),
        ("length()", "The function 'length' takes 1 argument, not 0.", "Write length(string or array or object)."),
        ("length(vars.a, vars.b)", "The function 'length' takes 1 argument, not 2.", "Write length(string "),
        ("join(', ')", "The function 'join' takes 2 arguments, not 1.", "Write join(string, array-string)."),
        ("merge()", "The function 'merge' takes at least 1 argument, not 0.", "Write merge(object, …)."),
        (
            "sort_by(vars.a, name)",
            "Argument 2 of the function 'sort_by' must be an expression.",
            "Write it with a & in front.",
        ),
        (
            "to_array(&vars.a)",
            "Argument 1 of the function 'to_array' is a value, not an expression.",
            "Write it without a & in front.",
        ),
        ("&vars.a", "'&' stands before an argument that is no function's.", "Use & for the arguments of map, "),
        ("[&vars.a]", "'&' stands before an argument that is no function's.", "Use & for the arguments of map, "),
        ("vars.list[?compute(@)]", "There is no function 'compute'.", "The functions are abs, "),
    ],
)
def test_functions_are_checked_before_anything_runs(text: str, message: str, remedy: str) -> None:
    fault = fault_of(text)
    assert (fault.code, fault.message) == ("expression.function", message)
    assert fault.remedy.startswith(remedy)


def test_functions_take_as_many_arguments_as_they_say() -> None:
    for text in ("merge(vars, vars, vars)", "not_null(vars.a, vars.b)", "join(', ', vars.a)", "map(&a, vars.list)"):
        assert analyse(text, CONFIG_ROOTS).roots == {"vars"}


@pytest.mark.parametrize("literal", ["NaN", "-Infinity", "1e999", "18446744073709551616", '{"a": [NaN]}'])
def test_a_literal_must_be_a_value(literal: str) -> None:
    assert fault_of(f"vars.a == `{literal}`").code == "expression.literal"


def test_a_literal_without_json_is_deprecated_and_its_remedy_names_single_quotes() -> None:
    # Warnings are errors in tests, as under `python -W error`.
    assert fault_of("vars.state == `running`").remedy == "Texts stand in single quotes: 'text'."


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_literal_without_json_is_a_text_where_warnings_are_no_errors() -> None:
    assert analyse("vars.state == `stopped`", CONFIG_ROOTS).roots == {"vars"}


def test_an_expression_has_4096_characters_at_most() -> None:
    assert analyse("vars." + "a" * 4091, CONFIG_ROOTS).roots == {"vars"}
    fault = fault_of("vars." + "a" * 4092)
    assert fault.code == "expression.too_long"
    assert fault.message == "The expression has 4097 characters, the limit is 4096."


def test_an_expression_nests_64_deep_at_most() -> None:
    assert analyse(" || ".join(["vars"] * 64), CONFIG_ROOTS).roots == {"vars"}
    assert fault_of(" || ".join(["vars"] * 65)).code == "expression.too_deep"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 4000,
        "(" * 2000 + "vars" + ")" * 2000,
        "[" * 4000,
        "[" * 2000 + "vars" + "]" * 2000,
        "{a:" * 1000 + "vars" + "}" * 1000,
        "|".join(["vars"] * 800),
        "!" * 4000 + "vars",
        "&" * 4000 + "vars",
        "vars" + "[?a" * 1000 + "]" * 1000,
        "abs(" * 800 + "vars" + ")" * 800,
        "vars" + "[0]" * 1000 + "[*]" * 300,
    ],
)
def test_hostile_nesting_is_an_error_and_no_crash(text: str) -> None:
    assert fault_of(text).code in ("expression.too_deep", "expression.syntax")


def test_a_long_path_is_not_deep() -> None:
    assert len(analyse("vars" + ".a" * 1000, CONFIG_ROOTS).path or ()) == 1001


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("vars", ("vars",)),
        ("nodes.a.x", ("nodes", "a", "x")),
        ('vars."a b".c', ("vars", "a b", "c")),
        ("vars.a[0]", None),
        ("vars.a || vars.b", None),
        ("vars.{a: b}", None),
        ("vars.*", None),
        ("'vars'", None),
        ("length(vars)", None),
    ],
)
def test_plain_paths_are_recognized(text: str, path: tuple[str, ...] | None) -> None:
    assert analyse(text, CONFIG_ROOTS).path == path


@given(st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,9}", fullmatch=True))
def test_what_is_parsed_without_jmespath_is_parsed_the_same(text: str) -> None:
    try:
        expected = Parser().parse(text).parsed
    except JMESPathError:
        expected = None
    try:
        tree = parse(text)
    except ExpressionError:
        tree = None
    assert tree == expected


pieces = st.sampled_from(
    [
        *(
            "vars",
            "nodes",
            "secrets",
            "a",
            "b",
            "nodes.a.x",
            "@",
            "*",
            "`1`",
            "'t'",
            '"q"',
            "`[1]`",
            "length(",
            "map(&",
        ),
        *(".", "[", "]", "[0]", "[*]", "[]", "[?", "[::0]", "(", ")", "{", "}", "{a: ", ":", ",", "|", "||", "&&", "&"),
        *("!", "==", "<", "5", "-1", " ", "-", "+", "$", "\\", "`", "'", '"', "ü"),
    ]
)
soup = st.lists(pieces, max_size=12).map("".join) | st.text(max_size=12)


@given(soup, st.sampled_from([CONFIG_ROOTS, BARE_ROOTS, None]))
def test_analysing_raises_nothing_but_its_own_error(text: str, roots: frozenset[str] | None) -> None:
    try:
        found = analyse(text, roots)
    except ExpressionError:
        return
    assert found.roots <= (roots or frozenset())
    assert bool(found.references) == ("nodes" in found.roots)
