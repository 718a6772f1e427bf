"""`files.list` tells what is in a folder, in order and within limits."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from flownodes_files.globs import matches
from flownodes_files.list import list_files
from flowruntime.authoring import FatalNodeError
from flowruntime.testing import NodeHarness

Run: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def tree(data: Path) -> Path:
    """A folder with some files, of which each is a byte longer and a second younger than the one before."""
    for number, name in enumerate(["b.csv", "a.csv", "c.txt", ".hidden.csv", "sub/d.csv", "sub/deep/e.csv"]):
        path = data / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * number)
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    return data


async def names(run: Run, inputs: dict[str, Any] | None = None, **config: Any) -> list[str]:
    return [one["relative"] for one in (await run(list_files, inputs, **config))["files"]]


async def test_an_entry_tells_what_is_known(run: Run, tree: Path) -> None:
    listed = await run(list_files, {}, pattern="a.csv")
    assert listed == {
        "files": [
            {
                "name": "a.csv",
                "path": str(tree / "a.csv"),
                "relative": "a.csv",
                "type": "file",
                "size": 1,
                "modified": "2023-11-14T22:13:21.000000Z",
                "media_type": "text/csv",
            }
        ],
        "count": 1,
        "truncated": False,
    }


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({}, ["a.csv", "b.csv", "c.txt"]),
        ({"pattern": "*.csv", "recursive": True}, ["a.csv", "b.csv", "sub/d.csv", "sub/deep/e.csv"]),
        ({"pattern": "**/*.csv"}, ["a.csv", "b.csv", "sub/d.csv", "sub/deep/e.csv"]),
        ({"pattern": "sub/*"}, ["sub/d.csv"]),
        ({"pattern": "sub/**"}, ["sub/d.csv", "sub/deep/e.csv"]),
        ({"pattern": ["[ab].csv", "*.txt"]}, ["a.csv", "b.csv", "c.txt"]),
        ({"pattern": "./*.csv"}, ["a.csv", "b.csv"]),
        ({"pattern": "./sub//*"}, ["sub/d.csv"]),
        ({"pattern": "./**/e.csv"}, ["sub/deep/e.csv"]),
        ({"pattern": "*.csv", "hidden": True}, [".hidden.csv", "a.csv", "b.csv"]),
        ({"kind": "folders", "recursive": True}, ["sub", "sub/deep"]),
        ({"kind": "all"}, ["a.csv", "b.csv", "c.txt", "sub"]),
        ({"sort": "modified"}, ["b.csv", "a.csv", "c.txt"]),
        ({"sort": "size", "descending": True}, ["c.txt", "a.csv", "b.csv"]),
        ({"sort": "name", "descending": True, "limit": 2}, ["c.txt", "b.csv"]),
    ],
)
async def test_what_is_listed_is_said_by_the_config(
    run: Run, tree: Path, config: dict[str, Any], found: list[str]
) -> None:
    assert await names(run, **config) == found


async def test_a_pattern_that_leads_out_of_the_folder_is_refused(run: Run, tree: Path) -> None:
    with pytest.raises(FatalNodeError) as raised:
        await run(list_files, {"path": "sub"}, pattern="../*.csv")
    assert raised.value.code == "files.pattern"
    assert await names(run, pattern="..*") == []


async def test_braces_stand_for_themselves_and_what_looks_like_alternatives_is_told(
    node_harness: NodeHarness, tree: Path
) -> None:
    (tree / "{a,b}.csv").touch()
    for pattern, found, said in (("{a,b}.csv", 1, 1), ("[{]a,b}.csv", 1, 0), ("*.{csv,txt}", 0, 1), ("{a}", 0, 0)):
        ran = await node_harness.run(list_files, {}, {"pattern": pattern}, settings={"roots": [str(tree)]})
        assert (ran.outputs["count"], len(ran.said)) == (found, said), pattern
        assert all(repr(pattern) in text for text in ran.said)


async def test_a_limit_is_told(run: Run, tree: Path) -> None:
    listed = await run(list_files, {}, limit=2)
    assert (listed["count"], listed["truncated"]) == (2, True)
    assert not (await run(list_files, {}, limit=3))["truncated"]


async def test_a_folder_below_is_listed_by_its_path(run: Run, tree: Path) -> None:
    assert await names(run, {"path": "sub"}) == ["d.csv"]
    with pytest.raises(FatalNodeError) as raised:
        await run(list_files, {"path": "a.csv"})
    assert raised.value.code == "files.not_a_folder"


async def test_links_are_shown_for_what_they_lead_to_and_never_walked_through(run: Run, tree: Path) -> None:
    (tree.parent / "outside").write_text("canary")
    (tree / "l_file").symlink_to("sub/d.csv")
    (tree / "l_folder").symlink_to(".")
    (tree / "l_out").symlink_to("../outside")
    (tree / "l_broken").symlink_to("nothing")
    os.mkfifo(tree / "l_fifo")
    listed = await run(list_files, {}, pattern="l_*", recursive=True, kind="all")
    assert [(one["relative"], one["type"], one["size"]) for one in listed["files"]] == [
        ("l_file", "file", 4),
        ("l_folder", "folder", None),
    ]


async def test_what_lies_too_deep_is_told(node_harness: NodeHarness, data: Path) -> None:
    deepest = data.joinpath(*["d"] * 64)
    deepest.mkdir(parents=True)
    (deepest / "file").touch()
    (deepest.parent / "seen").touch()
    ran = await node_harness.run(list_files, {}, {"recursive": True}, settings={"roots": [str(data)]})
    assert [one["name"] for one in ran.outputs["files"]] == ["seen"]
    assert ran.said == ["1 folders lie 64 levels below '.' and are not looked into; list them by their paths."]
    ran = await node_harness.run(list_files, {}, {"kind": "all"}, settings={"roots": [str(data)]})
    assert (ran.outputs["count"], ran.said) == (1, [])


async def test_names_that_no_text_can_say_are_left_out_with_a_warning(node_harness: NodeHarness, data: Path) -> None:
    (data / "good ☃\n").touch()
    (data / os.fsdecode(b"bad\xff")).touch()
    ran = await node_harness.run(list_files, {}, settings={"roots": [str(data)]})
    assert [one["name"] for one in ran.outputs["files"]] == ["good ☃\n"]
    assert ran.said == ["1 names below '.' are not UTF-8 and left out; a workflow could not say them."]


async def test_what_the_kernel_shows_is_not_walked_into(node_harness: NodeHarness) -> None:
    config = {"kind": "folders", "pattern": "[dp]*", "limit": 100_000}
    ran = await node_harness.run(list_files, {"path": "/"}, config, settings={"roots": ["/"]})
    assert {"proc", "dev"}.isdisjoint(one["name"] for one in ran.outputs["files"])


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*", "a/b", True),
        ("a*c", "abbc", True),
        ("a*c", "abbd", False),
        ("a?c", "abc", True),
        ("[!a]b", "cb", True),
        ("[!a]b", "ab", False),
        ("[]]", "]", True),
        ("[a", "[a", True),
        ("/a/*", "a/b", True),
        ("**", "a", True),
        ("a/**", "a", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/x/y/c", False),
        ("*/b", "a/x/b", False),
        ("a**b", "axxb", True),
    ],
)
def test_patterns_mean_what_they_mean_elsewhere(pattern: str, path: str, *, fits: bool) -> None:
    assert matches(pattern, path) is fits


def test_a_hostile_pattern_takes_bounded_time() -> None:
    assert not matches("*a" * 100 + "b", "a" * 255)
    assert not matches("**/" * 200 + "x", "/".join("a" * 500))
