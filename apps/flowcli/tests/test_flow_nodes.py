"""Checks the list of node types and the page of one."""

import pytest

from apps.flowcli.tests.flow_command import NODES, Ended, Flow, FlowInside
from apps.flowcli.tests.screen import run_on_terminal
from core.flowruntime.tests.registry.installed_packs import Site, catalog_json, node_source


def ids(ended: Ended) -> list[str]:
    return [entry["id"] for entry in ended.json["nodes"]]


def test_the_types_of_installed_packs_are_listed_by_category(flow: Flow) -> None:
    ended = flow("nodes")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    debug = lines.index("Debug")
    assert [line.split()[0] for line in lines[debug + 1 : debug + 4]] == ["debug.inspect", "debug.log", "debug.noop"]
    assert lines[debug + 2].split()[1] == "v1"
    assert lines[debug + 2].endswith("  flownodes-debug")


def test_the_list_in_json_says_what_each_type_is(flow_inside: Flow) -> None:
    listed = flow_inside("nodes", "--json").json
    entry = next(entry for entry in listed["nodes"] if entry["id"] == "debug.log")
    assert list(entry) == ["id", "version", "title", "description", "category", "stability", "pack", "dynamic"]
    assert (entry["version"], entry["category"], entry["pack"]) == (1, "Debug", "flownodes-debug")
    assert listed["problems"] == []


def test_the_search_finds_types_in_which_all_words_occur(flow_inside: Flow) -> None:
    assert ids(flow_inside("nodes", "LOG", "--json")) == ["debug.log"]
    assert ids(flow_inside("nodes", "json", "parse", "--json")) == ["transform.json_parse"]
    nothing = flow_inside("nodes", "json", "qqq")
    assert (nothing.code, nothing.out) == (0, "")
    assert "'json' and 'qqq'" in nothing.err


def test_a_terminal_gets_lines_that_fit(flow: Flow) -> None:
    shown = run_on_terminal(
        flow.command("nodes"), folder=flow.folder, environment={**flow.environment, "TERM": "xterm"}, columns=80
    )
    assert shown.code == 0
    assert max(map(len, shown.screen)) <= 80
    assert any("…" in line and line.endswith("flownodes-control") for line in shown.screen)


def test_types_of_a_file_are_listed_too(flow_inside: Flow) -> None:
    listed = flow_inside("nodes", "local.", "--json", "--nodes", NODES)
    assert {"local.shout", "local.flaky"} <= set(ids(listed))
    assert "Say it louder" in flow_inside("nodes", "local.", "--nodes", NODES).out
    assert "Say it louder." in flow_inside("nodes", "show", "local.shout", "--nodes", NODES).out


def test_broken_packs_are_told_below_the_list_and_all_else_works(flow: Flow) -> None:
    site = Site(flow.folder / "site")
    site.add_distribution("acme-good", {"good": "acme_good"})
    catalog = catalog_json("good", {"good.hello": "acme_good:hello"})
    site.add_package("acme_good", node_source("good.hello"), catalog)
    site.add_distribution("acme-bad", {"bad": "acme_bad"})
    site.add_package("acme_bad", "raise RuntimeError", "no catalog")
    site.add_distribution("acme-thief", {"http": "acme_good"})
    ended = flow("nodes", PYTHONPATH=str(site.folder))
    assert ended.code == 0
    assert "good.hello" in ended.out
    assert "http.request" in ended.out
    told = ended.err.splitlines()
    assert len(told) == 2
    assert all(line.startswith("broken: ") for line in told)
    assert any("acme-bad" in line for line in told)
    assert any("acme-thief" in line and "'flownodes-http'" in line for line in told)
    problems = flow("nodes", "--json", PYTHONPATH=str(site.folder)).json["problems"]
    assert sorted(problem["pack"] for problem in problems) == ["acme-bad", "acme-thief"]


def test_the_page_of_a_type_shows_ports_config_behaviour_and_examples(flow_inside: Flow) -> None:
    ended = flow_inside("nodes", "show", "http.request")
    assert ended.code == 0
    assert ended.out.startswith("http.request  version 1, stable, from flownodes-http\n")
    for words in (
        "\nInputs\n  url ",
        "Required.",
        "\nOutputs\n  status ",
        "\nConfig\n  method ",
        'Default: "GET"',
        'Effects:  read when config.method is "GET", "HEAD", "OPTIONS", "TRACE", else write',
        "Retries:  3 attempts in all",
        "Timeout:  ",
        "\nExample: ",
        '"node_type": "http.request"',
    ):
        assert words in ended.out
    assert max(map(len, ended.out.splitlines())) < 130


def test_every_page_can_be_shown(flow_inside: Flow) -> None:
    for type_id in ids(flow_inside("nodes", "--json")):
        assert flow_inside("nodes", "show", type_id).out.startswith(type_id)


def test_the_page_in_json_is_the_catalog_entry_with_its_pack(flow_inside: Flow) -> None:
    entry = flow_inside("nodes", "show", "debug.log", "--json").json
    assert entry["id"] == "debug.log"
    assert entry["pack"] == "flownodes-debug"
    assert "label" in entry["config"]["properties"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("debug.lgo",), ("no node type 'debug.lgo'", "Did you mean 'debug.log'")),
        (("acme.call",), ("pip install flownodes-acme",)),
        ((), ("takes the id of one node type",)),
        (("debug.log", "debug.noop"), ("takes the id of one node type",)),
    ],
)
def test_a_type_that_is_not_there_is_told_with_what_to_do(
    flow_inside: Flow, words: tuple[str, ...], told: tuple[str, ...]
) -> None:
    ended = flow_inside("nodes", "show", *words)
    assert (ended.code, ended.out) == (2, "")
    assert all(word in ended.err for word in told)
    assert "error" in flow_inside("nodes", "show", *words, "--json").json


def test_a_malformed_settings_file_ends_with_3(flow: Flow) -> None:
    flow.write("flow.toml", "[packs]\nalow = []\n")
    ended = flow("nodes")
    assert (ended.code, ended.out) == (3, "")
    assert "Did you mean 'allow'?" in ended.err


# --- search --------------------------------------------------------------------------------------


def found(flow: Flow, *words: str) -> list[str]:
    return [entry["id"] for entry in flow("nodes", "search", *words, "--json").json["nodes"]]


def test_a_search_gives_the_best_answer_first(flow_inside: FlowInside) -> None:
    assert found(flow_inside, "debug.log")[0] == "debug.log"
    assert {"transform.json_parse", "transform.json_stringify"} <= set(found(flow_inside, "JSON")[:4])
    # The words of a title count more than those of a description.
    assert found(flow_inside, "loop")[0] == "control.loop"
    assert found(flow_inside, "http", "request")[0] == "http.request"
    scores = [entry["score"] for entry in flow_inside("nodes", "search", "wait", "--json").json["nodes"]]
    assert scores == sorted(scores, reverse=True)


def test_a_search_takes_categories_and_words_that_are_in_no_type(flow_inside: FlowInside) -> None:
    assert "control.if" in found(flow_inside, "control")
    assert found(flow_inside, "parse", "qqq")[0] == "transform.json_parse"
    nothing = flow_inside("nodes", "search", "qqq")
    assert (nothing.code, nothing.out) == (0, "")
    assert "'qqq'" in nothing.err


def test_a_search_for_people_is_a_table(flow_inside: FlowInside) -> None:
    head, first, *_ = flow_inside("nodes", "search", "parse").out.splitlines()
    assert head.split()[:3] == ["id", "category", "pack"]
    assert first.startswith("transform.json_parse ")


def test_a_search_for_nothing_is_wrong_usage(flow_inside: FlowInside) -> None:
    assert flow_inside("nodes", "search").code == 2
