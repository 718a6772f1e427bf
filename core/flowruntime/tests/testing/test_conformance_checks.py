"""Each check of the conformance suite passes a good pack, and fails the pack that has just that one thing wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from flowruntime.registry import write_catalog
from flowruntime.testing import CHECKS, Finding, check_pack

from core.flowruntime.tests.testing.projects import GOOD, write_project

#: The start of every module below.
HEAD = """
import asyncio
from typing import Annotated, Any
from flowruntime.authoring import Context, Node, Port, Secret, node

SAID = {"title": "Count", "category": "Numbers"}
"""

BAD_CODE = {
    "descriptions": GOOD.replace('title="Double",', ""),
    "unknown_keys": HEAD
    + '''
@node("NAME.open", **SAID, effects="pure", config={"type": "object", "properties": {}},
      examples=[{"title": "One", "outputs": {"result": 1}}])
def open_(ctx: Context) -> Annotated[int, "One."]:
    """Gives one."""
    return 1
''',
    "schemas": HEAD
    + '''
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer", "description": "N.", "default": "many"}},
    "additionalProperties": False,
}

@node("NAME.count", **SAID, effects="pure", config=SCHEMA,
      examples=[{"title": "One", "config": {"n": 1}, "outputs": {"result": 1}}])
def count(ctx: Context) -> Annotated[int, "N."]:
    """Gives n."""
    return ctx.config["n"]
''',
    "examples": GOOD.replace('{"result": 8}', '{"result": 4}'),
    "outputs": HEAD
    + '''
@node("NAME.count", **SAID, effects="pure", outputs=[Port(name="n", schema={"type": "string"}, description="N.")],
      examples=[{"title": "One", "outputs": {"n": 1}}])
def count() -> dict[str, Any]:
    """Gives one."""
    return {"n": 1}
''',
    "repeats": HEAD
    + '''
@node("NAME.count", **SAID, effects="pure", inputs=[], outputs=[Port(name="n", description="N.")],
      examples=[{"title": "One", "outputs": {"n": 1}}])
class Count(Node):
    """Counts its runs."""

    n = 0

    async def execute(self, ctx: Context) -> dict[str, Any]:
        self.n += 1
        return {"n": self.n}
''',
    "cancellation": HEAD
    + '''
@node("NAME.fetch", **SAID, effects="read", examples=[{"title": "One"}])
async def fetch(ctx: Context) -> Annotated[int, "The status."]:
    """Fetches something, and does not want to be cancelled."""
    try:
        return (await ctx.http.get("https://example.com")).status_code
    except asyncio.CancelledError:
        await asyncio.Event().wait()
        raise
''',
    "shutdown": HEAD
    + '''
@node("NAME.pool", **SAID, effects="read", examples=[{"title": "One"}],
      inputs=[], outputs=[Port(name="n", description="N.")])
class Pool(Node):
    """Keeps something open."""

    async def initialize(self, ctx: Any) -> None:
        self.pool = [1]

    async def execute(self, ctx: Context) -> dict[str, Any]:
        return {"n": len(self.pool)}

    async def shutdown(self) -> None:
        self.pool.clear()
''',
    "migrations": GOOD.replace('title="Double",', 'title="Double", version=2,'),
    "secrets": HEAD
    + '''
@node("NAME.login", **SAID, effects="read", examples=[{"title": "One", "config": {"token": "${{ secrets.TOKEN }}"}}])
async def login(ctx: Context, *, token: Annotated[Secret, "The token."]) -> Annotated[bool, "Whether it went well."]:
    """Logs in, and tells the token when that fails."""
    answer = await ctx.http.get("https://example.com")
    if answer.status_code != 200:
        raise RuntimeError(f"the token {token.reveal()} is not good")
    return True
''',
}


def without_license(project: Path) -> None:
    file = project / "pyproject.toml"
    file.write_text(file.read_text().replace('license = "MIT"\n', ""))


def with_a_change_after_the_build(project: Path) -> None:
    (module,) = project.glob("src/*/__init__.py")
    module.write_text(module.read_text().replace("Doubles a number.", "Doubles any number."))


def that_cannot_be_imported(project: Path) -> None:
    (module,) = project.glob("src/*/__init__.py")
    module.write_text("raise RuntimeError('out of order')\n")


BAD_PROJECTS: dict[str, Callable[[Path], None]] = {
    "loads": that_cannot_be_imported,
    "metadata": without_license,
    "catalog": with_a_change_after_the_build,
}


def failing(project: Path) -> set[str]:
    return {finding.check for finding in check_pack(project).findings}


def only_finding(project: Path) -> Finding:
    (finding,) = check_pack(project).findings
    return finding


def test_every_check_has_a_bad_pack_here() -> None:
    assert [check.name for check in CHECKS if check.name not in BAD_CODE | BAD_PROJECTS] == []
    assert [check.name for check in CHECKS if not check.asks.endswith(".")] == []


def test_a_good_pack_passes_all_checks_that_apply_to_it(tmp_path: Path) -> None:
    report = check_pack(write_project(tmp_path, "good"))
    assert report.findings == ()
    of_type = ["descriptions", "schemas", "unknown_keys", "examples", "outputs", "repeats", "cancellation"]
    assert list(report.passed) == ["loads", "metadata", "catalog", *(f"{name}: good.double" for name in of_type)]


@pytest.mark.parametrize("check", sorted(BAD_CODE))
def test_bad_code_fails_the_check_that_is_for_it_and_no_other(check: str, tmp_path: Path) -> None:
    project = write_project(tmp_path, f"bad_{check}", BAD_CODE[check])
    found = check_pack(project).findings
    assert {finding.check for finding in found} == {check}
    for finding in found:
        assert finding.type.startswith(f"bad_{check}.")
        assert finding.place
        assert finding.message
        assert finding.remedy


@pytest.mark.parametrize("check", sorted(BAD_PROJECTS))
def test_a_bad_project_fails_the_check_that_is_for_it_and_no_other(check: str, tmp_path: Path) -> None:
    project = write_project(tmp_path, f"bad_{check}")
    BAD_PROJECTS[check](project)
    assert failing(project) == {check}


def test_a_finding_says_where_what_and_what_to_do(tmp_path: Path) -> None:
    finding = only_finding(write_project(tmp_path, "wrong_example", BAD_CODE["examples"]))
    assert str(finding) == (
        'wrong_example.double, example \'Two\': It gives {"result":8}, and says that it gives {"result":4}. '
        "Correct the example, or the node. [examples]"
    )
    assert finding.to_json()["place"] == "example 'Two'"


def test_a_stale_catalog_is_told_with_the_difference(tmp_path: Path) -> None:
    project = write_project(tmp_path, "stale")
    with_a_change_after_the_build(project)
    message = only_finding(project).message
    assert '-      "description": "Doubles a number.",' in message
    assert '+      "description": "Doubles any number.",' in message


@pytest.mark.parametrize(
    ("code", "said"), [("import os; os._exit(3)", "exit status 3"), ("import sys; sys.exit()", "sys.exit")]
)
def test_code_that_ends_the_process_is_a_finding(tmp_path: Path, code: str, said: str) -> None:
    finding = only_finding(write_project(tmp_path, "deadly", code, build=False))
    assert finding.check == "loads"
    assert said in finding.message


def test_a_broken_schema_is_told_once_where_it_stands(tmp_path: Path) -> None:
    code = BAD_CODE["schemas"].replace('"default": "many"', '"minimum": "x"')
    project = write_project(tmp_path, "no_schema", code, build=False)
    (finding,) = (finding for finding in check_pack(project).findings if finding.check == "schemas")
    assert finding.place == "config"
    assert "JSON Schema 2020-12" in finding.message


def test_an_example_that_fails_on_purpose_says_its_code(tmp_path: Path) -> None:
    code = GOOD.replace("return number * 2**times", "raise ValueError(number)")
    said = code.replace('"outputs": {"result": 8}', '"error": "node.exception"')
    assert check_pack(write_project(tmp_path, "fails", said)).findings == ()
    other = code.replace('"outputs": {"result": 8}', '"error": "other.code"')
    assert "says that it fails with 'other.code'" in only_finding(write_project(tmp_path, "other", other)).message
    never = GOOD.replace('"outputs": {"result": 8}', '"error": "other.code"')
    assert "and it succeeds" in only_finding(write_project(tmp_path, "never", never)).message


ASKING = (
    HEAD
    + '''
@node("NAME.title", **SAID, effects="read", examples=[
    {"title": "A title", "answer": ANSWER, "outputs": {"result": "Ada 203 x"}}
])
async def title(ctx: Context) -> Annotated[str, "The title."]:
    """Reads a title."""
    answer = await ctx.http.get("https://example.com")
    return f"{answer.json()['title']} {answer.status_code} {answer.headers.get('a')}"
'''
)


def test_an_example_says_what_servers_answer(tmp_path: Path) -> None:
    answer = '{"status": 203, "json": {"title": "Ada"}, "headers": {"a": "x"}}'
    assert check_pack(write_project(tmp_path, "asks", ASKING.replace("ANSWER", answer))).findings == ()
    wrong = answer.replace('"json"', '"body"')
    found = check_pack(write_project(tmp_path, "asks_wrongly", ASKING.replace("ANSWER", wrong))).findings
    assert found[0].message == "Its answer is none that a server could give."


def test_an_example_that_needs_something_is_not_run(tmp_path: Path) -> None:
    code = GOOD.replace('"outputs": {"result": 8}', '"needs": "a second universe"').replace("return", "raise")
    report = check_pack(write_project(tmp_path, "needs", code))
    assert report.findings == ()
    assert "cancellation: needs.double" not in report.passed


def test_an_example_of_a_pure_node_says_what_comes_out_and_knows_its_keys(tmp_path: Path) -> None:
    code = GOOD.replace('"outputs": {"result": 8}', '"output": {"result": 8}')
    messages = [finding.message for finding in check_pack(write_project(tmp_path, "silent", code)).findings]
    assert messages == ["Examples have no key 'output'.", "It does not say what comes out, and the node is pure."]


# --- what was saved ----------------------------------------------------------------------------------

MIGRATED = GOOD.replace(
    'title="Double",',
    'title="Double", version=2, replaces=["NAME.twice"], migrate=lambda config, version: MIGRATE,',
)


def saved(project: Path, *nodes: object) -> Path:
    (project / "tests").mkdir()
    (project / "tests" / "saved_nodes.json").write_text(json.dumps(nodes))
    write_catalog(project)
    return project


def old(name: str, version: int, **config: object) -> dict[str, object]:
    return {"node_type": name, "type_version": version, "config": config}


def test_configs_of_older_versions_and_replaced_types_are_migrated(tmp_path: Path) -> None:
    code = MIGRATED.replace("MIGRATE", '{"times": config["count"]} if version else {}')
    project = saved(write_project(tmp_path, "moved", code), old("moved.double", 1, count=3), old("moved.twice", 1))
    report = check_pack(project)
    assert report.findings == ()
    assert "migrations: moved.double" in report.passed


@pytest.mark.parametrize(
    ("migrate", "message"),
    [
        ('{"count": config["count"]}', "There is no key 'count'"),
        ("1 / 0", "ZeroDivisionError"),
        ('{"times": COUNTER.pop()}', "first and"),
    ],
)
def test_a_migrate_that_does_not_do_its_job_is_told(tmp_path: Path, migrate: str, message: str) -> None:
    code = "COUNTER = [1, 2]\n" + MIGRATED.replace("MIGRATE", migrate).replace('replaces=["NAME.twice"], ', "")
    finding = only_finding(saved(write_project(tmp_path, "stuck", code), old("stuck.double", 1, count=3)))
    assert (finding.check, finding.place) == ("migrations", "tests/saved_nodes.json#/0")
    assert message in finding.message


def test_versions_and_replaced_types_of_which_nothing_was_saved_are_named(tmp_path: Path) -> None:
    project = write_project(tmp_path, "blank", MIGRATED.replace("MIGRATE", "config"))
    found = [finding.message for finding in check_pack(project).findings]
    assert [message.partition(",")[0] for message in found] == [
        "There is no config of version 1",
        "There is no config of the replaced type 'blank.twice'",
    ]


def test_a_file_of_saved_nodes_that_holds_none_is_told(tmp_path: Path) -> None:
    finding = only_finding(saved(write_project(tmp_path, "garbled"), {"type": "garbled.double"}))
    assert finding.check == "loads"
    assert "At /0 stands no node." in finding.message
