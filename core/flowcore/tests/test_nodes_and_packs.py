"""Node types and packs: catalogs are read and written without loss, ports and effects follow their rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flowcore.errors import Problem
from flowcore.nodes import Deprecation, EffectsByConfig, NodeType, Port, Ports, effects_of, ports_of
from flowcore.packs import CATALOG_VERSION, Catalog, Pack, PackProblem, namespace_fault
from flowcore.policies import PartialRetryPolicy
from hypothesis import given
from hypothesis import strategies as st

from core.flowcore.tests.workflow_strategies import JSON, NAMES

HTTP_REQUEST: dict[str, Any] = {
    "id": "http.request",
    "version": 2,
    "implementation": "flownodes_http.request:Request",
    "title": "HTTP request",
    "description": "Fetches a URL.",
    "category": "Network",
    "inputs": {
        "ports": [
            {"name": "url", "schema": {"type": "string"}, "description": "Where", "required": True},
            {"name": "parts", "multiple": True},
            {"name": "race", "join": "first"},
        ]
    },
    "outputs": {"ports": [{"name": "body"}], "rule": "each", "pointer": "/cases"},
    "config": {"type": "object", "properties": {"method": {"default": "GET"}}},
    "retry_policy": {"max_attempts": 3},
    "timeout_ms": 1000,
    "effects": {"from": "/method", "read": ["GET"], "else": "write"},
    "examples": [{"title": "Get", "config": {}, "inputs": {"url": "x"}}],
    "stability": "beta",
    "deprecation": {"since": "1.0", "use": "http.fetch"},
    "replaces": ["http.get"],
    "migrates": True,
    "renamed": [{"below": 2, "inputs": {"uri": "url"}}, {"type": "http.get", "outputs": {"text": "body"}}],
}
TRIGGER: dict[str, Any] = {
    "id": "http.cron",
    "version": 1,
    "implementation": "a:b",
    "inputs": {"ports": []},
    "outputs": {"ports": [], "rule": "any", "passthrough": True},
    "config": {"type": "object", "additionalProperties": False},
    "effects": "pure",
    "trigger": True,
    "stability": "stable",
}


def read_type(entry: Any) -> tuple[NodeType, list[Problem]]:
    problems: list[Problem] = []
    return NodeType.read(entry, "/types/0", problems), problems


@pytest.mark.parametrize("entry", [HTTP_REQUEST, TRIGGER], ids=["everything", "a trigger"])
def test_a_catalog_entry_is_read_and_written_without_loss(entry: dict[str, Any]) -> None:
    node_type, problems = read_type(json.loads(json.dumps(entry)))
    assert problems == []
    assert node_type.to_json() == entry
    assert read_type(node_type.to_json())[0] == node_type


def test_the_fields_of_a_catalog_entry_mean_what_they_say() -> None:
    node_type, _ = read_type(HTTP_REQUEST)
    assert (node_type.namespace, node_type.version, node_type.timeout_ms) == ("http", 2, 1000)
    assert node_type.inputs.get("url") == Port(
        name="url", schema={"type": "string"}, description="Where", required=True
    )
    assert node_type.inputs.get("nothing") is None
    assert node_type.retry_policy == PartialRetryPolicy(max_attempts=3)
    assert node_type.effects == EffectsByConfig(pointer="/method", read=("GET",), otherwise="write")
    assert node_type.deprecation == Deprecation(since="1.0", use="http.fetch")


def test_undeclared_effects_are_write() -> None:
    node_type, problems = read_type({"id": "a.b", "implementation": "a:b"})
    assert (node_type.effects, node_type.version, problems) == ("write", 1, [])


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("id", "", "/types/0/id"),
        ("version", 0, "/types/0/version"),
        ("implementation", None, "/types/0/implementation"),
        ("inputs", {"ports": [{"required": "yes", "name": "a"}]}, "/types/0/inputs/ports/0/required"),
        ("outputs", {"rule": "many"}, "/types/0/outputs/rule"),
        ("config", [], "/types/0/config"),
        ("retry_policy", {"max_attempts": 0}, "/types/0/retry_policy/max_attempts"),
        ("timeout_ms", "1s", "/types/0/timeout_ms"),
        ("effects", "reads", "/types/0/effects"),
        ("effects", {"from": "/a", "read": "GET"}, "/types/0/effects/read"),
        ("stability", "good", "/types/0/stability"),
        ("deprecation", {}, "/types/0/deprecation/since"),
        ("replaces", [1], "/types/0/replaces"),
        ("migrates", "yes", "/types/0/migrates"),
        ("renamed", [{"below": 1}], "/types/0/renamed/0/below"),
        ("renamed", [{"inputs": {"a": 1}}], "/types/0/renamed/0/inputs"),
        ("renamed", [{"ports": {}}], "/types/0/renamed/0/ports"),
        ("colour", "red", "/types/0/colour"),
    ],
    ids=str,
)
def test_a_fault_in_a_catalog_entry_is_told_with_its_place(field: str, value: Any, pointer: str) -> None:
    _, problems = read_type({**HTTP_REQUEST, field: value})
    assert [problem.pointer for problem in problems] == [pointer]
    assert problems[0].remedy


def test_a_catalog_is_written_sorted_and_read_back() -> None:
    newer = {**TRIGGER, "version": 2}
    value = {"catalog": CATALOG_VERSION, "namespace": "http", "types": [HTTP_REQUEST, newer, TRIGGER]}
    problems: list[Problem] = []
    catalog = Catalog.read(value, problems)
    assert problems == []
    assert catalog.to_json() == {**value, "types": [TRIGGER, newer, HTTP_REQUEST]}


def test_a_catalog_of_a_newer_form_says_what_to_update() -> None:
    problems: list[Problem] = []
    Catalog.read({"catalog": CATALOG_VERSION + 1, "namespace": "http", "types": []}, problems)
    assert [(problem.code, problem.pointer) for problem in problems] == [("catalog.newer", "/catalog")]
    assert "Update" in problems[0].remedy


@given(JSON | st.dictionaries(st.sampled_from(["catalog", "namespace", "types", *HTTP_REQUEST]), JSON))
def test_random_json_is_read_as_catalog_with_problems_and_never_raises(value: Any) -> None:
    problems: list[Problem] = []
    Catalog.read(value, problems)
    Catalog.read({"catalog": 1, "namespace": "a", "types": [value]}, problems)
    assert problems


def test_a_pack_and_its_problem_are_told_as_json() -> None:
    pack = Pack(distribution="flownodes-http", version="1.0", namespace="http", package="flownodes_http")
    assert pack.to_json()["editable"] is False
    problem = PackProblem(pack="bad", stage="import", code="pack.broken", message="It raised.", remedy="Mend it.")
    assert problem.to_json()["stage"] == "import"
    assert str(problem) == "bad: It raised. Mend it. [pack.broken]"


@pytest.mark.parametrize(
    ("namespace", "distribution"),
    [("http", "flownodes-http"), ("http", "Flownodes_HTTP"), ("weather", "anything"), ("my_pack", "x")],
)
def test_a_namespace_may_be_claimed_by_its_owner(namespace: str, distribution: str) -> None:
    assert namespace_fault(namespace, distribution) is None


@pytest.mark.parametrize(
    ("namespace", "distribution", "reason"),
    [
        ("http", "evil", "belongs to the distribution 'flownodes-http'"),
        ("local", "flownodes-local", "no pack may claim it"),
        ("Weather", "weather", "no lower-case identifier"),
        ("my-pack", "my-pack", "no lower-case identifier"),
        ("", "x", "no lower-case identifier"),
    ],
)
def test_a_foreign_or_malformed_claim_is_refused_with_its_reason(
    namespace: str, distribution: str, reason: str
) -> None:
    fault = namespace_fault(namespace, distribution)
    assert fault is not None
    assert reason in fault


def test_effects_follow_the_config() -> None:
    effects = EffectsByConfig(pointer="/a/method", read=("GET", "HEAD"), otherwise="write")
    assert effects_of(effects, {"a": {"method": "HEAD"}}) == "read"
    assert effects_of(effects, {"a": {"method": "POST"}}) == "write"
    elsewhere: list[Any] = [{}, {"a": None}, {"a": [1]}, {"a": {"method": {"x": []}}}]
    for config in elsewhere:
        assert effects_of(effects, config) == "write"
    assert effects_of("pure", {}) == "pure"


def test_the_pointer_of_effects_may_hold_escapes() -> None:
    effects = EffectsByConfig(pointer="/a~1b~0c", read=(1,), otherwise="pure")
    assert effects_of(effects, {"a/b~c": 1}) == "read"


def test_ports_by_each_are_named_in_order_once_and_beside_the_fixed_ones() -> None:
    side = Ports(ports=(Port(name="default", required=True),), rule="each", pointer="/cases")
    config = {"cases": [{"port": "b"}, {"port": "a"}, {"port": "b"}, {"port": "default"}, {"port": 5}, "c"]}
    assert [port.name for port in ports_of(side, config)] == ["default", "b", "a"]
    assert ports_of(side, config)[0].required


@pytest.mark.parametrize("config", [{}, {"cases": None}, {"cases": 5}, {"cases": "ab"}, {"cases": {"port": "a"}}, []])
def test_a_config_without_the_list_gives_the_fixed_ports_alone(config: Any) -> None:
    side = Ports(ports=(Port(name="default"),), rule="each", pointer="/cases")
    assert [port.name for port in ports_of(side, config)] == ["default"]


@given(st.lists(NAMES, unique=True, max_size=4))
def test_the_other_rules_name_no_port_but_the_fixed_ones(names: list[str]) -> None:
    fixed = tuple(Port(name=name) for name in names)
    for rule in ("fixed", "any", "signature"):
        assert ports_of(Ports(ports=fixed, rule=rule), {"cases": [{"port": "x"}]}) == fixed
