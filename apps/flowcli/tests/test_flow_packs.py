"""Checks `flow packs`: what is installed, kept out, broken."""

import json
from pathlib import Path

from apps.flowcli.tests.environments import make_pack
from apps.flowcli.tests.flow_command import Flow, FlowInside


def unpack(wheel: Path, folder: Path) -> str:
    """What an installer would leave in a folder; gives the PYTHONPATH for it."""
    import zipfile

    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return str(folder)


def test_packs_are_listed_with_version_origin_and_number_of_types(flow_inside: FlowInside) -> None:
    ended = flow_inside("packs")
    assert ended.code == 0
    head, *lines = [line.split() for line in ended.out.splitlines()]
    assert head == ["namespace", "distribution", "version", "types", "from"]
    assert ["debug", "flownodes-debug", "0.1.0", "3", "editable"] in [line[:5] for line in lines]


def test_the_list_in_json_tells_packs_extensions_denied_and_problems(flow: Flow) -> None:
    path = unpack(make_pack(flow.folder / "w", "acme", "shout", "sing"), flow.folder / "site")
    unpack(make_pack(flow.folder / "w", "kept", "out"), flow.folder / "site")
    unpack(make_pack(flow.folder / "w", "wrong", "a", catalog={"catalog": 99}), flow.folder / "site")
    (flow.folder / "site" / "flownodes_acme-1.0.dist-info" / "direct_url.json").write_text(
        json.dumps({"url": "file:///wheels/acme.whl", "archive_info": {}})
    )
    hooks = flow.folder / "site" / "hooklib-2.0.dist-info"
    hooks.mkdir()
    (hooks / "METADATA").write_text("Metadata-Version: 2.1\nName: hooklib\nVersion: 2.0\n")
    (hooks / "entry_points.txt").write_text("[flownodes.hooks]\nhooklib = hooklib\n")
    flow.write("flow.toml", '[packs]\ndeny = ["flownodes-kept"]\n')

    listed = flow("packs", "--json", PYTHONPATH=path).json
    (acme,) = (pack for pack in listed["packs"] if pack["namespace"] == "acme")
    assert acme == {
        "distribution": "flownodes-acme",
        "version": "1.0",
        "namespace": "acme",
        "package": "flownodes_acme",
        "editable": False,
        "origin": "file /wheels/acme.whl",
        "types": 2,
    }
    assert listed["denied"] == [{"namespace": "kept", "distribution": "flownodes-kept"}]
    assert {"distribution": "hooklib", "version": "2.0", "brings": ["hooks"]} in listed["extensions"]
    (problem,) = (one for one in listed["problems"] if one["pack"] == "flownodes-wrong")
    assert (problem["stage"], problem["code"]) == ("catalog", "catalog.newer")

    told = flow("packs", PYTHONPATH=path)
    assert told.code == 0
    assert "acme       flownodes-acme" in told.out
    assert "kept out: flownodes-kept (kept), by flow.toml" in told.err
    assert "broken: flownodes-wrong: " in told.err
    assert "also: hooklib 2.0 brings hooks" in told.err


def test_in_safe_mode_only_packs_of_flownodes_itself_load(flow: Flow) -> None:
    path = unpack(make_pack(flow.folder / "w", "acme", "shout"), flow.folder / "site")

    def namespaces(**environment: str) -> set[str]:
        return {pack["namespace"] for pack in flow("packs", "--json", PYTHONPATH=path, **environment).json["packs"]}

    assert {"acme", "debug"} <= namespaces()
    assert "acme" not in namespaces(FLOW_SAFE_MODE="1")
    assert "debug" in namespaces(FLOW_SAFE_MODE="1")
    flow.write("flow.toml", "[packs]\nsafe_mode = true\n")
    assert "acme" not in namespaces()
    flow.write("flow.toml", "[packs]\nsafe_mode = false\n")
    assert "acme" in namespaces()
