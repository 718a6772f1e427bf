"""Checks `flow catalog`: JSON that keeps to its schema, and pages that load nothing from anywhere."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from flowcli.reference.html import html_pages
from flowcli.reference.markdown import Documented, markdown_pages
from flowcore.nodes import NodeType, Port, Ports

from apps.flowcli.tests.flow_command import NODES, FlowInside

ROOT = Path(__file__).parents[3]


def faults(schema: Any, value: Any) -> list[str]:
    return [error.message for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(value)]


def test_the_catalog_has_every_type_with_its_pack_and_keeps_to_its_schema(flow_inside: FlowInside) -> None:
    catalog = flow_inside("catalog", "--json").json
    schema = flow_inside("catalog", "--schema").json
    assert faults(schema, catalog) == []
    types = {entry["id"]: entry for entry in catalog["types"]}
    assert types["debug.log"]["pack"] == "flownodes-debug"
    assert types["debug.log"]["config"]["properties"]
    assert "debug" in {pack["namespace"] for pack in catalog["packs"]}
    assert flow_inside("catalog").json == catalog
    assert set(types) == {entry["id"] for entry in flow_inside("nodes", "--json").json["nodes"]}


def test_the_schema_takes_committed_catalogs_and_refuses_what_is_none(flow_inside: FlowInside) -> None:
    schema = flow_inside("catalog", "--schema").json
    of_packs = {"$schema": schema["$schema"], "$ref": "#/$defs/pack_catalog", "$defs": schema["$defs"]}
    files = [*ROOT.glob("*/src/*/flownodes.json"), *ROOT.glob("plugins/*/src/*/flownodes.json")]
    assert files
    for file in files:
        assert faults(of_packs, json.loads(file.read_text())) == []
    good = json.loads(files[0].read_text())
    for bad in (
        {**good, "catalog": 2},
        {**good, "novelty": True},
        {**good, "types": [{**good["types"][0], "effects": "harmless"}]},
        {**good, "types": [{key: value for key, value in good["types"][0].items() if key != "id"}]},
    ):
        assert faults(of_packs, bad)


def test_types_of_a_file_are_in_it_too(flow_inside: FlowInside) -> None:
    catalog = flow_inside("catalog", "--nodes", NODES).json
    assert [entry for entry in catalog["types"] if entry["id"].startswith("local.") and entry["pack"] == "local"]


class Page(HTMLParser):
    """What a page links to, loads and says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "href":
                self.links.append(value or "")
            elif name in {"src", "srcset", "data", "action"}:
                self.loads.append(value or "")


def test_html_pages_link_each_other_and_load_nothing(flow_inside: FlowInside) -> None:
    ended = flow_inside("catalog", "--html", "pages")
    assert (ended.code, ended.out) == (0, "")
    folder = flow_inside.folder / "pages"
    assert "pages/index.html" in ended.err
    ids = {entry["id"] for entry in flow_inside("nodes", "--json").json["nodes"]}
    pages = list(folder.glob("*.html"))
    assert {path.name for path in pages} == {"index.html", *(f"{type_id}.html" for type_id in ids)}
    for path in pages:
        page = Page(path.read_text())
        assert page.loads == []
        assert page.tags.isdisjoint({"script", "link", "img", "iframe"})
        assert not re.search(r"@import|url\(", path.read_text())
        assert all((folder / link).exists() for link in page.links if ":" not in link)
    assert set(Page((folder / "index.html").read_text()).links) == {f"{type_id}.html" for type_id in ids}
    assert "<table>" in (folder / "debug.log.html").read_text()


def test_markdown_pages_are_those_of_the_documentation(flow_inside: FlowInside) -> None:
    assert flow_inside("catalog", "--markdown", "pages").code == 0
    page = (flow_inside.folder / "pages" / "transform.json_parse.md").read_text()
    documented = (ROOT / "docs" / "nodes" / "transform.json_parse.md").read_text()
    assert documented.endswith(page)


def test_a_folder_that_cannot_be_written_is_told(flow_inside: FlowInside) -> None:
    flow_inside.write("file", "no folder")
    ended = flow_inside("catalog", "--html", "file")
    assert (ended.code, "file.unwritable" in ended.err) == (2, True)


def test_one_form_at_a_time_is_written(flow_inside: FlowInside) -> None:
    assert flow_inside("catalog", "--schema", "--html", "pages").code == 2


@pytest.mark.parametrize(
    "description",
    ["<script>alert(1)</script>", "![x](https://example.org/x.png)", "[x](javascript:alert(1))", "a | b\n\n# c"],
)
def test_what_a_pack_says_cannot_change_the_page(description: str) -> None:
    node_type = NodeType(
        id="acme.../../evil",
        implementation="acme:evil",
        title="Evil",
        description=description,
        inputs=Ports(ports=(Port(name="p", description=description),)),
    )
    markdown = markdown_pages([Documented(node_type=node_type, pack="acme")], introduction="All.")
    assert set(markdown) == {"README.md", "acme..._.._evil.md"}
    pages = html_pages(markdown)
    for text in pages.values():
        page = Page(text)
        assert page.tags.isdisjoint({"script", "img"})
        assert page.loads == []
        assert not any(link.startswith("javascript") for link in page.links)
        assert text.count("<tr>") <= 3


def test_pages_of_types_that_are_gone_go_and_other_files_stay(flow_inside: FlowInside) -> None:
    pages = flow_inside.folder / "pages"
    assert flow_inside("catalog", "--html", "pages", "--nodes", NODES).code == 0
    local = {page.name for page in pages.glob("local.*")}
    assert local
    (pages / "mine.html").write_text("mine")
    assert flow_inside("catalog", "--html", "pages").code == 0
    assert not local.intersection(page.name for page in pages.iterdir())
    assert (pages / "mine.html").read_text() == "mine"
    assert (pages / "debug.log.html").exists()


def test_what_it_has_not_written_is_not_overwritten(flow_inside: FlowInside) -> None:
    flow_inside.write("README.md", "mine")
    ended = flow_inside("catalog", "--markdown", ".")
    assert (ended.code, "file.exists" in ended.err) == (2, True)
    assert [file.name for file in flow_inside.folder.iterdir()] == ["README.md"]
    assert (flow_inside.folder / "README.md").read_text() == "mine"
