"""A config against the schema of its type, while expressions are in it and when they are resolved."""

from typing import Any

import pytest
from flowcore.errors import FatalNodeError, Problem
from flowcore.nodes import Port
from flowcore.values import freeze
from flowruntime.plan import require_plan

from core.flowruntime.tests.plan.planning import HTTP_CONFIG, TYPES, check, document, node_type, object_schema


def problems_of(config: Any, schema: Any = HTTP_CONFIG) -> tuple[Problem, ...]:
    types = [node_type("t.this", config_schema=freeze(schema))]
    return check(document({"n": {"node_type": "t.this", "config": config}}), types).problems


NO_ALTERNATIVE = (
    'no alternative fits: "m" is not of type "integer"; "m" is not of type "null", '
    "in the config of node 'n' (t.this) at '/retries'."
)


def resolved(config: Any, roots: dict[str, Any], schema: Any = HTTP_CONFIG) -> None:
    """Resolve and check, as an attempt does."""
    types = [node_type("t.this", config_schema=freeze(schema))]
    planned = require_plan(check(document({"n": {"node_type": "t.this", "config": config}}), types)).nodes[0]
    assert planned.check_config is not None
    planned.check_config(planned.config.resolve(roots))


@pytest.mark.parametrize(
    ("config", "code", "pointer", "message"),
    [
        (
            {"timeout_ms": "5"},
            "config.schema",
            "/timeout_ms",
            "\"5\" is not of type \"number\", in the config of node 'n' (t.this) at '/timeout_ms'.",
        ),
        (
            {"codes": [200, "ok"]},
            "config.schema",
            "/codes/1",
            "\"ok\" is not of type \"integer\", in the config of node 'n' (t.this) at '/codes/1'.",
        ),
        (
            {"retries": "m"},
            "config.schema",
            "/retries",
            NO_ALTERNATIVE,
        ),
        (
            {"methd": "GET"},
            "config.unknown_key",
            "/methd",
            "There is no key 'methd' in the config of node 'n' (t.this).",
        ),
        (
            {"auth": {"tokn": "x"}},
            "config.unknown_key",
            "/auth/tokn",
            "There is no key 'tokn' in the config of node 'n' (t.this) at '/auth'.",
        ),
    ],
)
def test_a_config_that_does_not_fit_is_a_problem_at_its_place(
    config: Any, code: str, pointer: str, message: str
) -> None:
    (problem,) = problems_of(config)
    assert (problem.code, problem.pointer) == (code, f"/nodes/0/config{pointer}")
    assert problem.message == message


@pytest.mark.parametrize(
    ("config", "remedy"),
    [
        ({"methd": "GET"}, "Did you mean 'method'?"),
        ({"auth": {"tokn": "x"}}, "Did you mean 'token'?"),
        ({"zzz": 1}, "The keys are auth, codes, headers, method, retries, timeout_ms."),
        ({"codes": 1}, "Give a value that the schema allows; `flow nodes show t.this` prints it."),
    ],
)
def test_the_remedies_say_what_there_is(config: Any, remedy: str) -> None:
    (problem,) = problems_of(config)
    assert problem.remedy == remedy


def test_the_keys_of_a_part_that_is_referred_to_are_guessed_too() -> None:
    schema = object_schema(auth={"$ref": "#/$defs/Auth"})
    schema = {**schema, "$defs": {"Auth": object_schema(token={})}}
    (problem,) = problems_of({"auth": {"tokn": 1}}, schema)
    assert problem.remedy == "Did you mean 'token'?"


def test_a_type_without_config_takes_none() -> None:
    (problem,) = check(document({"n": {"node_type": "t.noop", "config": {"level": 1}}})).problems
    assert (problem.code, problem.pointer, problem.remedy) == (
        "config.unknown_key",
        "/nodes/0/config/level",
        "Remove it.",
    )


def test_a_missing_key_is_told_also_without_any_config() -> None:
    for nodes in ({"n": "t.ask"}, {"n": {"node_type": "t.ask", "config": {}}}):
        (problem,) = check(document(nodes)).problems
        assert (problem.code, problem.pointer) == ("config.schema", "/nodes/0/config")
        assert problem.message == "\"expression\" is a required property, in the config of node 'n' (t.ask)."


def test_all_problems_of_a_config_come_at_once() -> None:
    found = problems_of({"timeout_ms": 0, "codes": [1, 1], "headers": {"a": 1}, "x": 1, "retries": "${{ nope }}"})
    assert [problem.pointer.removeprefix("/nodes/0/config") for problem in found] == [
        "/codes",
        "/headers/a",
        "/retries",
        "/timeout_ms",
        "/x",
    ]


@pytest.mark.parametrize(
    "config",
    [
        {"timeout_ms": "${{ vars.t }}"},
        {"method": "${{ vars.m }}"},
        {"headers": "${{ vars.h }}"},
        {"headers": {"a": "${{ vars.h }}"}},
        {"codes": ["${{ vars.c }}", "${{ vars.c }}"]},
        {"retries": "${{ vars.r }}"},
        {"auth": {"token": "Bearer ${{ secrets.T }}"}},
    ],
)
def test_what_depends_on_an_expression_is_left_to_run_time(config: Any) -> None:
    assert problems_of(config) == ()


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({"codes": ["${{ vars.c }}", "x"]}, "/codes/1"),
        ({"codes": ["${{ vars.c }}", 1, 2, 3]}, "/codes"),
        ({"auth": {"token": "${{ secrets.T }}", "more": 1}}, "/auth/more"),
        ({"headers": {"a": "${{ vars.h }}", "b": 1}}, "/headers/b"),
        ({"timeout_ms": "${{ vars.t }}", "retries": []}, "/retries"),
    ],
)
def test_what_does_not_depend_on_it_is_told_at_once(config: Any, pointer: str) -> None:
    (problem,) = problems_of(config)
    assert problem.pointer == f"/nodes/0/config{pointer}"


ALTERNATIVES = object_schema(
    auth={
        "anyOf": [
            {"type": "object", "properties": {"user": {"type": "integer"}}, "required": ["user"]},
            {"type": "null"},
        ]
    },
    one={"oneOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"a": {"const": 2}}}], "type": "object"},
    forbidden={"not": {"properties": {"a": {"type": "string"}}}, "type": "object"},
    exact={"const": {"a": 5}},
    listed={"enum": [{"a": 1}, {"a": 2}]},
    some={"type": "array", "contains": {"type": "integer"}},
)


@pytest.mark.parametrize(
    ("config", "bad"),
    [
        ({"auth": {"user": "${{ vars.x }}"}}, "text"),
        ({"one": {"a": "${{ vars.x }}"}}, 3),
        ({"forbidden": {"a": "${{ vars.x }}"}}, "text"),
        ({"exact": {"a": "${{ vars.x }}"}}, 6),
        ({"listed": {"a": "${{ vars.x }}"}}, 3),
        ({"some": ["${{ vars.x }}"]}, "text"),
    ],
)
def test_combined_schemas_around_an_expression_wait_for_its_result(config: Any, bad: Any) -> None:
    assert problems_of(config, ALTERNATIVES) == ()
    with pytest.raises(FatalNodeError, match="in the config of node 'n'"):
        resolved(config, {"vars": {"x": bad}}, ALTERNATIVES)


def test_combined_schemas_that_hold_no_expression_are_told_at_once() -> None:
    (problem,) = problems_of({"auth": {"user": "x"}, "one": {"a": "${{ vars.x }}"}}, ALTERNATIVES)
    assert problem.pointer == "/nodes/0/config/auth"


CONDITIONAL: Any = {
    "type": "object",
    "properties": {"mode": {"enum": ["a", "b"]}, "size": {}},
    "if": {"properties": {"mode": {"const": "a"}}},
    "then": {"required": ["size"]},
    "else": {"properties": {"size": {"type": "integer"}}},
}


def test_conditions_on_an_expression_wait_for_its_result() -> None:
    assert problems_of({"mode": "${{ vars.m }}", "size": "big"}, CONDITIONAL) == ()
    resolved({"mode": "${{ vars.m }}", "size": "big"}, {"vars": {"m": "a"}}, CONDITIONAL)
    with pytest.raises(FatalNodeError, match="at '/size'"):
        resolved({"mode": "${{ vars.m }}", "size": "big"}, {"vars": {"m": "b"}}, CONDITIONAL)
    (problem,) = problems_of({"mode": "b", "size": "big"}, CONDITIONAL)
    assert problem.pointer == "/nodes/0/config/size"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("soon", '"soon" is not of type "number", in the config of node \'n\' (t.this), as resolved at'),
        (0, "0 is less than the minimum of 1, in the config of node 'n' (t.this), as resolved at"),
        (None, "null is not of type \"number\", in the config of node 'n' (t.this), as resolved at"),
    ],
)
def test_a_result_that_does_not_fit_fails_the_node_for_good(value: Any, message: str) -> None:
    with pytest.raises(FatalNodeError) as caught:
        resolved({"timeout_ms": "${{ vars.t }}"}, {"vars": {"t": value}})
    assert caught.value.code == "config.schema"
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    "text", ["${{ inputs.a + 1 }}", "${{ nodes }}", "${{", "${{ secrets }}", "${{ lenght(inputs.a) }}"]
)
def test_a_faulty_expression_is_told_beside_the_errors_of_the_schema(text: str) -> None:
    found = problems_of({"headers": {"h": text}, "timeout_ms": "x"})
    assert [problem.pointer for problem in found] == ["/nodes/0/config/headers/h", "/nodes/0/config/timeout_ms"]
    assert found[0].code.startswith("expression.")


def test_a_bare_expression_of_the_wrong_type_is_told_by_the_schema() -> None:
    config = {"cases": [{"port": "a", "when": 5}, {"port": "b", "when": "inputs.x >"}, {"port": "c"}]}
    found = check(document({"n": {"node_type": "t.switch", "config": config}})).problems
    assert [(problem.code, problem.pointer) for problem in found] == [
        ("config.schema", "/nodes/0/config/cases/0/when"),
        ("expression.syntax", "/nodes/0/config/cases/1/when"),
        ("config.schema", "/nodes/0/config/cases/2"),
    ]


def test_a_static_field_that_names_an_input_is_told_once() -> None:
    found = check(document({"n": {"node_type": "t.pool", "config": {"dsn": "${{ inputs.query }}"}}})).problems
    assert [(problem.code, problem.pointer) for problem in found] == [("expression.root", "/nodes/0/config/dsn")]


def test_a_blob_in_a_config_is_checked_as_its_reference() -> None:
    schema = object_schema(data={"type": "object", "required": ["$blob"]}, text={"type": "string"})
    tagged = {"type": "Bytes", "value": "aGVsbG8="}
    assert problems_of({"data": tagged}, schema) == ()
    (problem,) = problems_of({"data": tagged, "text": tagged}, schema)
    assert problem.pointer == "/nodes/0/config/text"


def test_patterns_are_matched_without_backtracking() -> None:
    schema = object_schema(name={"type": "string", "pattern": "^(a|a)*$"})
    (problem,) = problems_of({"name": "a" * 5000 + "!"}, schema)
    assert "does not match" in problem.message


def test_long_values_are_cut_in_messages() -> None:
    (problem,) = problems_of({"timeout_ms": "x" * 10_000})
    assert len(problem.message) < 300


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nothing"},
        {"properties": {"a": 5}},
        {"$ref": "#/$defs/missing"},
        {"$ref": "https://example.org/schema.json"},
        {"properties": {"a": {"pattern": "(?=x)"}}},
    ],
)
def test_a_type_whose_config_schema_is_none_is_named_with_its_pack(schema: Any) -> None:
    types = [*TYPES, node_type("acme.broken", config_schema=freeze(schema))]
    checked = check(document({"a": "acme.broken", "b": {"node_type": "t.http", "config": {"x": 1}}}), types)
    assert checked.plan is None
    broken, other = checked.problems
    assert (broken.code, broken.pointer) == ("node_type.schema", "/nodes/0/node_type")
    assert broken.message.startswith("The type 'acme.broken' of node 'a' has a config schema that is none: ")
    assert broken.remedy == "Update the pack 'acme', or report this to its authors."
    assert other.code == "config.unknown_key"


@pytest.mark.parametrize(
    ("sides", "place"),
    [
        ({"inputs": (Port(name="in", schema=freeze({"$ref": "#/missing"})),)}, "input port 'in'"),
        ({"outputs": (Port(name="out", schema=freeze({"type": "strin"}), checked=True),)}, "output port 'out'"),
    ],
)
def test_a_type_with_a_port_whose_schema_is_none_is_named_with_the_port(sides: Any, place: str) -> None:
    types = [*TYPES, node_type("acme.broken", **sides)]
    nodes = {"a": {"node_type": "acme.broken", "inputs": {"in": 1}}} if "inputs" in sides else {"a": "acme.broken"}
    (problem,) = check(document(nodes), types).problems
    assert (problem.code, problem.pointer) == ("node_type.schema", "/nodes/0/node_type")
    assert problem.message.startswith(f"The type 'acme.broken' of node 'a' has a schema of the {place} that is none: ")


CODE = object_schema(
    statement={"type": "string", "x-constant": "Write :name."},
    steps={"type": "array", "items": {"type": "object", "properties": {"code": {"x-constant": "Write :name."}}}},
    title={"type": "string"},
)


@pytest.mark.parametrize("expression", ["${{ vars.x }}", "WHERE a = '${{ vars.x }}'"])
def test_a_constant_field_takes_no_expression_and_says_what_to_do(expression: str) -> None:
    problems = problems_of({"statement": expression, "steps": [{"code": "a"}, {"code": expression}]}, CODE)
    assert [(problem.code, problem.pointer, problem.remedy) for problem in problems] == [
        ("config.constant", "/nodes/0/config/statement", "Write :name."),
        ("config.constant", "/nodes/0/config/steps/1/code", "Write :name."),
    ]


def test_a_constant_field_beside_one_with_an_expression_is_fine() -> None:
    assert problems_of({"statement": "a = :a AND b = '$${{ this }}'", "title": "${{ vars.x }}"}, CODE) == ()


TOLD = object_schema(told={"type": "object", "x-no-secrets": True}, kept={"type": "string"})


def test_a_field_that_is_told_takes_no_secrets() -> None:
    config = {"told": {"deep": ["${{ vars.x }}", "Bearer ${{ secrets.A }}"]}, "kept": "${{ secrets.A }}"}
    (problem,) = problems_of(config, TOLD)
    assert (problem.code, problem.pointer) == ("config.secret", "/nodes/0/config/told")


def test_a_field_that_is_told_takes_all_else_beside_one_with_a_secret() -> None:
    config = {"told": {"a": "${{ vars.x }}", "b": "$${{ secrets.A }}"}, "kept": "${{ secrets.A }}"}
    assert problems_of(config, TOLD) == ()
