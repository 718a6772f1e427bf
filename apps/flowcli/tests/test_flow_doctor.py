"""Checks `flow doctor`: it finds what is wrong, says what to do, and stays quiet about the rest."""

import sqlite3
import zoneinfo
from pathlib import Path
from typing import Any

import pytest
from flowcli import checkup
from flowcore.packs import RESERVED_NAMESPACES
from flowruntime.registry import Registry

from apps.flowcli.tests.environments import Environment, make_environment, make_pack
from apps.flowcli.tests.flow_command import Ended
from apps.flowcli.tests.test_flow_packs import unpack

#: Those of this tree, which may be under work.
OURS = {f"flownodes-{name}" for name in RESERVED_NAMESPACES}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_environment(tmp_path_factory.mktemp("doctor") / "environment")


@pytest.fixture
def env(root: Path, tmp_path: Path) -> Environment:
    """An environment's command; what tests add lies in the folder `site`."""
    env = Environment(root, tmp_path, tmp_path / "home")
    env.environment["PYTHONPATH"] = str(tmp_path / "site")
    return env


def found(ended: Ended, check: str) -> list[dict[str, Any]]:
    """What one kind of check found wrong."""
    findings: list[dict[str, Any]] = ended.json["findings"]
    wrong = [one for one in findings if one["check"] == check and one["status"] == "problem"]
    assert all(one["code"] and one["remedy"] and one["message"] for one in wrong)
    return wrong


def add(env: Environment, namespace: str, *names: str, **options: Any) -> None:
    unpack(make_pack(env.folder / "w", namespace, *names, **options), env.folder / "site")


def test_a_healthy_installation_ends_with_0_and_names_what_was_looked_at(env: Environment) -> None:
    add(env, "acme", "shout")
    ended = env("doctor", "--json")
    checks = {one["check"] for one in ended.json["findings"]}
    assert {"python", "settings", "pack", "requirements", "system", "database", "cache"} <= checks
    assert found(ended, "requirements") == found(ended, "database") == found(ended, "cache") == []
    acme = [one for one in ended.json["findings"] if one.get("pack") == "flownodes-acme"]
    assert acme == [{"check": "pack", "status": "ok", "pack": "flownodes-acme", "message": "flownodes-acme 1.0 (acme)"}]
    assert ended.json["healthy"] == (ended.code == 0)
    assert ended.json["healthy"] == (not [one for one in ended.json["findings"] if one["status"] == "problem"])


def test_people_get_a_line_for_each_check_with_the_remedy_below(env: Environment) -> None:
    add(env, "wrong", "a", source="raise RuntimeError('no')")
    ended = env("doctor")
    assert ended.code == 3
    lines = ended.out.splitlines()
    (first,) = (line for line in lines if "flownodes-wrong" in line and line.startswith("problem"))
    assert "[inspect.raised]" in first
    assert lines[lines.index(first) + 1].startswith(" " * 23 + "Correct")
    assert "found something wrong" in ended.err


def test_every_bad_pack_is_found_and_the_others_are_well(env: Environment) -> None:
    add(env, "fine", "a")
    add(env, "raises", "a", source="1 / 0")
    add(
        env,
        "stale",
        "a",
        source="from flowruntime.authoring import node\n\n@node('stale.b')\ndef b() -> int:\n    return 1\n",
    )
    add(env, "newer", "a", catalog={"catalog": 99, "namespace": "newer", "types": []})
    add(env, "twice", "a")
    add(env, "twice", "b", distribution="other-twice")
    ended = env("doctor", "--json")
    assert ended.code == 3
    codes = {one["pack"]: (one["stage"], one["code"]) for one in found(ended, "pack") if one["pack"] not in OURS}
    assert codes == {
        "flownodes-raises": ("inspect", "inspect.raised"),
        "flownodes-stale": ("catalog", "catalog.stale"),
        "flownodes-newer": ("catalog", "catalog.newer"),
        "flownodes-twice, other-twice": ("discover", "discover.conflict"),
    }
    (stale,) = (one for one in found(ended, "pack") if one["pack"] == "flownodes-stale")
    assert "'stale.a', version 1, is not in the code" in stale["message"]
    assert "'stale.b', version 1, is not in the catalog" in stale["message"]


def test_a_requirement_that_is_not_met_is_found(env: Environment, root: Path) -> None:
    (packages,) = (root / "lib").glob("python*/site-packages")
    unpack(make_pack(env.folder / "w", "needy", "a", requires=["not-to-be-had>=3"]), packages)
    told = found(env("doctor", "--json"), "requirements")
    assert [("not-to-be-had" in one["message"], one["code"]) for one in told] == [(True, "requirements.missing")]
    # The control, which puts things right for the other tests: without it nothing is missing.
    assert env("pack", "remove", "flownodes-needy", "--yes").code == 0
    assert found(env("doctor", "--json"), "requirements") == []


def test_malformed_settings_are_found_and_the_rest_is_looked_at(env: Environment) -> None:
    env.write("flow.toml", "[packs\n")
    ended = env("doctor", "--json")
    assert ended.code == 3
    assert [one["code"] for one in found(ended, "settings")] == ["settings.malformed"]
    assert "database" in {one["check"] for one in ended.json["findings"]}


def test_a_database_that_cannot_be_used_is_found(env: Environment) -> None:
    env.write("words.db", "no database" * 100)
    assert [one["code"] for one in found(env("doctor", "--db", "sqlite:///words.db", "--json"), "database")] == [
        "store.foreign"
    ]
    newer = sqlite3.connect(env.folder / "newer.db")
    newer.execute("PRAGMA application_id = 0x466C6F77")
    newer.execute("PRAGMA user_version = 999")
    newer.close()
    assert [one["code"] for one in found(env("doctor", "--db", "sqlite:///newer.db", "--json"), "database")] == [
        "store.newer"
    ]
    assert found(env("doctor", "--db", "sqlite:///new.db", "--json"), "database") == []
    assert not (env.folder / "new.db").exists()


def test_a_cache_folder_that_cannot_be_written_is_found(env: Environment) -> None:
    env.write("home", "a file stands where the folder should be")
    assert [one["code"] for one in found(env("doctor", "--json"), "cache")] == ["cache.unwritable"]


def test_missing_parts_of_the_system_are_found_where_a_pack_needs_them(env: Environment) -> None:
    add(env, "shell", "run")
    nothing = env.folder / "nothing"
    nothing.mkdir()
    env.environment["PATH"] = str(nothing)
    assert "system.bwrap" in [one["code"] for one in found(env("doctor", "--json"), "system")]
    bwrap = nothing / "bwrap"
    bwrap.write_text("")
    bwrap.chmod(0o755)
    assert "system.bwrap" not in [one["code"] for one in found(env("doctor", "--json"), "system")]


def test_missing_time_zones_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOW_HOME", str(tmp_path))

    def missing(key: str) -> None:
        raise zoneinfo.ZoneInfoNotFoundError(key)

    registry = Registry.discover()
    assert "system.tzdata" not in [one.code for one in checkup._system_parts(registry)]
    monkeypatch.setattr(zoneinfo, "ZoneInfo", missing)
    assert "system.tzdata" in [one.code for one in checkup._system_parts(registry)]


SETTINGS = """
from flowruntime.authoring import node, operator_settings
from msgspec import Struct

class Settings(Struct, forbid_unknown_fields=True):
    roots: list[str] = []

@node("ruled.a", effects="read")
def a() -> list[str]:
    return operator_settings("ruled", Settings).values.roots
"""


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[ruled]\nroots = [1]\n", "[ruled] does not fit"),
        ("[ruled]\nroot = []\n", "[ruled] does not fit"),
        ("[ruld]\nroots = []\n", "[ruld] is for no pack that is installed"),
        ("[secrets]\nkey = 'vault'\n", "'key' under [secrets] must be one of"),
        ("[secrets]\nfile = 'key'\n", "[secrets] has no key 'file'"),
        ("[secrets]\nkey = 'file'\n", ""),
        ("[ruled]\nroots = ['x']\n[elsewhere]\nx = 1\n", ""),
    ],
)
def test_the_tables_of_packs_in_the_settings_are_checked(env: Environment, table: str, said: str) -> None:
    add(env, "ruled", "a", source=SETTINGS)
    env.write("flow.toml", table)
    wrong = found(env("doctor", "--json"), "settings")
    assert len(wrong) == bool(said)
    assert all(said in one["message"] and str(env.folder / "flow.toml") in one["message"] for one in wrong)


def test_a_pack_whose_installation_was_cut_off_is_told(env: Environment) -> None:
    add(env, "cutoff", "a")
    assert "flownodes-cutoff" not in str(found(env("doctor", "--json"), "requirements"))
    (env.folder / "site" / "flownodes_cutoff" / "flownodes.json").unlink()
    (one,) = [one for one in found(env("doctor", "--json"), "requirements") if "flownodes-cutoff" in one["message"]]
    assert one["code"] == "requirements.incomplete"
    assert "flownodes_cutoff/flownodes.json" in one["message"]
    assert "flownodes-cutoff==1.0" in one["remedy"]
