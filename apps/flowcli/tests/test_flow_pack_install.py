"""Checks `flow pack install|update|remove` with wheels, in a virtual environment, without a network."""

import os
import pty
import subprocess
import zipfile
from pathlib import Path

import pytest

from apps.flowcli.tests.environments import Environment, make_environment, make_pack, make_wheel
from apps.flowcli.tests.flow_command import Ended

OFFLINE = ("--offline", "--yes")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment for all tests here: what they install has names of its own."""
    return make_environment(tmp_path_factory.mktemp("installing") / "environment")


@pytest.fixture
def env(root: Path, tmp_path: Path) -> Environment:
    """Its command, in an empty folder with an empty wheelhouse `w`."""
    (tmp_path / "w").mkdir()
    return Environment(root, tmp_path, tmp_path / "home")


def install(env: Environment, *names: str, options: tuple[str, ...] = OFFLINE) -> Ended:
    return env("pack", "install", *names, "--find-links", "w", *options)


# --- install -------------------------------------------------------------------------------------


def test_an_installed_pack_is_there_at_once_and_what_is_new_is_told(env: Environment) -> None:
    make_pack(env.folder / "w", "one", "shout", "whisper")
    ended = install(env, "flownodes-one")
    assert ended.code == 0, ended.err
    assert ended.out == "New node types: one.shout, one.whisper\n"
    assert "+ flownodes-one 1.0" in ended.err
    listed = {pack["namespace"]: pack for pack in env("packs", "--json").json["packs"]}
    assert listed["one"] == {
        "distribution": "flownodes-one",
        "version": "1.0",
        "namespace": "one",
        "package": "flownodes_one",
        "editable": False,
        "origin": "index",
        "types": 2,
    }
    document = {"name": "A", "nodes": [{"id": "a", "node_type": "one.shout", "inputs": {"text": "hello"}}]}
    env.write("flow.json", document)
    assert env("run", "flow.json", "--json").json["node_outputs"] == {"a": {"result": "hello"}}

    again = install(env, "flownodes-one")
    assert (again.code, again.out) == (0, "")
    assert "Nothing to do" in again.err


def test_a_wheel_can_be_named_by_its_file(env: Environment) -> None:
    wheel = make_pack(env.folder / "w", "two", "shout")
    ended = env("pack", "install", str(wheel.relative_to(env.folder)), "--offline", "--yes", "--json")
    assert ended.code == 0, ended.err
    assert ended.json == {
        "changes": [{"name": "flownodes-two", "before": None, "after": "1.0"}],
        "done": True,
        "tool": "uv",
        "new_types": ["two.shout"],
        "removed_types": [],
        "problems": [],
    }
    assert env.installed()["flownodes-two"] == "1.0"


def test_pip_does_the_same_where_there_is_no_uv(env: Environment, tmp_path: Path) -> None:
    env.environment["PATH"] = str(tmp_path / "nothing")
    without = env("pack", "install", "flownodes-three", "--yes")
    assert (without.code, "install.no_tool" in without.err) == (3, True), without.err
    subprocess.run([env.python, "-m", "ensurepip"], check=True, capture_output=True)
    try:
        make_pack(env.folder / "w", "three", "shout")
        make_pack(env.folder / "w", "three-old", "shout", requires=["httpx<0.20"], distribution="flownodes-threeold")
        make_wheel(env.folder / "w", "httpx", "0.19.0")
        dry = install(env, "flownodes-three", options=("--offline", "--dry-run", "--json"))
        assert (dry.code, dry.json["tool"], dry.json["done"]) == (0, "pip", False)
        assert dry.json["changes"] == [{"name": "flownodes-three", "before": None, "after": "1.0"}]
        ended = install(env, "flownodes-three")
        assert (ended.code, ended.out) == (0, "New node types: three.shout\n"), ended.err
        refused = install(env, "flownodes-threeold")
        assert (refused.code, "install.breaks" in refused.err) == (3, True)
        assert "flownodes-http" in refused.err
        missing = install(env, "flownodes-nowhere")
        assert (missing.code, "install.not_found" in missing.err) == (3, True)
        removed = env("pack", "remove", "flownodes-three", "--yes")
        assert (removed.code, removed.out) == (0, "Gone: three.shout\n")
    finally:
        subprocess.run([env.python, "-m", "pip", "uninstall", "--yes", "pip"], check=True, capture_output=True)


def test_a_dry_run_shows_what_would_change_and_changes_nothing(env: Environment) -> None:
    make_pack(env.folder / "w", "four", "shout", requires=["fourlib"])
    make_wheel(env.folder / "w", "fourlib", "2.5")
    ended = install(env, "flownodes-four", options=("--offline", "--dry-run"))
    assert (ended.code, ended.out) == (0, "")
    assert "  + flownodes-four 1.0\n  + fourlib 2.5\n" in ended.err
    assert "flownodes-four" not in env.installed()


def test_nothing_is_installed_without_being_asked_for(env: Environment) -> None:
    make_pack(env.folder / "w", "five", "shout")
    unasked = install(env, "flownodes-five", options=("--offline",))
    assert (unasked.code, "--yes" in unasked.err) == (2, True)
    assert "flownodes-five" not in env.installed()


@pytest.mark.parametrize(("answer", "done"), [("n\n", False), ("\n", True)])
def test_a_terminal_is_asked(env: Environment, answer: str, done: bool) -> None:
    make_pack(env.folder / "w", "asked", "shout")
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    ended = subprocess.run(
        env.command("pack", "install", "flownodes-asked", "--offline", "--find-links", "w"),
        cwd=env.folder,
        env=env.environment,
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert ended.returncode == 0
    assert "Do it? [Y/n]" in ended.stderr
    assert ("flownodes-asked" in env.installed()) == done


# --- what is refused -----------------------------------------------------------------------------


def test_what_would_move_the_core_is_refused_naming_both(env: Environment) -> None:
    make_pack(env.folder / "w", "newer", "a", requires=["flowcore>=9"])
    make_wheel(env.folder / "w", "flowcore", "9.0")  # it could be had
    before = env.installed()
    ended = install(env, "flownodes-newer")
    assert (ended.code, ended.out) == (3, "")
    assert "flownodes-newer does not fit flowcore 0.1.0" in ended.err
    assert "pip install --upgrade flownodes" in ended.err
    assert env.installed() == before
    # Nor when it could not be had, nor by its name.
    (env.folder / "w" / "flowcore-9.0-py3-none-any.whl").unlink()
    assert "install.core" in install(env, "flownodes-newer").err
    assert "install.core" in install(env, "flowcore").err
    # The control: with a requirement that is met it goes in.
    make_pack(env.folder / "w", "newer", "a", version="0.9", requires=["flowcore>=0.1"])
    assert install(env, "flownodes-newer<1").code == 0


def test_what_would_break_an_installed_pack_is_refused_naming_both(env: Environment) -> None:
    make_wheel(env.folder / "w", "sharedlib", "1.0")
    make_wheel(env.folder / "w", "sharedlib", "2.0")
    make_pack(env.folder / "w", "settled", "a", requires=["sharedlib<2"])
    make_pack(env.folder / "w", "pushy", "a", requires=["sharedlib>=2"])
    assert install(env, "flownodes-settled").code == 0
    ended = install(env, "flownodes-pushy", options=("--offline", "--yes", "--json"))
    assert ended.code == 3
    error = ended.json["error"]
    assert error["code"] == "install.breaks"
    assert "flownodes-pushy would break the installed pack flownodes-settled 1.0" in error["message"]
    assert "flow pack remove flownodes-settled" in error["remedy"]
    assert "Traceback" not in ended.err
    assert env.installed()["sharedlib"] == "1.0"
    # The control, which is the remedy: without the other it goes in.
    assert env("pack", "remove", "flownodes-settled", "--yes").code == 0
    assert install(env, "flownodes-pushy").code == 0
    assert env.installed()["sharedlib"] == "2.0"


def test_what_would_take_a_namespace_from_a_pack_is_refused(env: Environment) -> None:
    make_pack(env.folder / "w", "taken", "a")
    make_pack(env.folder / "w", "taken", "b", distribution="other-taken")
    assert install(env, "flownodes-taken").code == 0
    ended = install(env, "other-taken")
    assert (ended.code, "install.namespace" in ended.err) == (3, True)
    assert "flownodes-taken 1.0" in ended.err
    assert "other-taken" not in env.installed()
    # The control: flow.toml says which one counts.
    env.write("flow.toml", '[packs]\nprefer = {taken = "flownodes-taken"}\n')
    assert install(env, "other-taken").code == 0
    env("pack", "remove", "other-taken", "--yes")


def test_what_is_no_pack_is_not_kept(env: Environment) -> None:
    make_wheel(env.folder / "w", "plainlib")
    ended = install(env, "plainlib")
    assert (ended.code, "install.no_pack" in ended.err) == (3, True)
    assert "pip install plainlib" in ended.err
    assert "plainlib" not in env.installed()
    # The control: with an entry point of ours, of whichever kind, it is one.
    make_wheel(env.folder / "w", "hooklib", entry_points="[flownodes.hooks]\nhooklib = hooklib\n")
    assert install(env, "hooklib").code == 0
    env("pack", "remove", "hooklib", "--yes")


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (["flownodes-nowhere"], "install.not_found", 3),
        (["flownodes-lacking"], "install.not_found", 3),
        (["./nowhere"], "pack.no_project", 2),
        (["nowhere.whl"], "file.missing", 2),
        (["w/torn-1.0-py3-none-any.whl"], "install.bad_file", 2),
        (["two words"], "install.name", 2),
        (["https://example.org/a-1.0-py3-none-any.zip"], "install.address", 2),
        ([], "usage.wrong", 2),
    ],
)
def test_what_cannot_be_installed_is_told_with_what_to_do(
    env: Environment, words: list[str], code: str, exit_code: int
) -> None:
    make_pack(env.folder / "w", "lacking", "a", requires=["not-to-be-had"])
    env.write("w/torn-1.0-py3-none-any.whl", "torn")
    ended = install(env, *words, options=("--offline", "--yes", "--json"))
    assert (ended.code, ended.json["error"]["code"]) == (exit_code, code)
    assert ended.json["error"]["remedy"]
    assert "Traceback" not in ended.err


def test_an_index_that_does_not_answer_is_told(env: Environment) -> None:
    env.environment["UV_INDEX_URL"] = "http://127.0.0.1:9/simple"
    env.environment["UV_DEFAULT_INDEX"] = "http://127.0.0.1:9/simple"
    env.environment["UV_HTTP_RETRIES"] = "0"
    ended = env("pack", "install", "flownodes-nowhere", "--yes")
    assert (ended.code, "install.network" in ended.err) == (3, True)
    assert "--offline --find-links" in ended.err


def test_a_pack_with_something_wrong_is_told_after_the_installation(env: Environment) -> None:
    make_pack(env.folder / "w", "wrong", "a", source="raise RuntimeError('no')")
    ended = install(env, "flownodes-wrong", options=("--offline", "--yes", "--json"))
    assert ended.code == 3
    (problem,) = ended.json["problems"]
    assert (problem["pack"], problem["stage"], problem["code"]) == ("flownodes-wrong", "inspect", "inspect.raised")
    assert ended.json["new_types"] == ["wrong.a"]
    assert env("pack", "remove", "flownodes-wrong", "--yes").code == 0


def test_a_pack_that_is_kept_out_by_the_settings_is_told(env: Environment) -> None:
    make_pack(env.folder / "w", "denied", "a")
    env.write("flow.toml", '[packs]\ndeny = ["flownodes-denied"]\n')
    ended = install(env, "flownodes-denied")
    assert (ended.code, "flownodes-denied does not load" in ended.err) == (0, True)
    assert {"namespace": "denied", "distribution": "flownodes-denied"} in env("packs", "--json").json["denied"]


def test_a_pack_that_misses_something_already_keeps_no_other_out(env: Environment, root: Path) -> None:
    (packages,) = (root / "lib").glob("python*/site-packages")
    with zipfile.ZipFile(make_pack(env.folder / "v", "lame", "a", requires=["not-to-be-had"])) as archive:
        archive.extractall(packages)
    make_pack(env.folder / "w", "sound", "a")
    assert install(env, "flownodes-sound").code == 0
    # The others are guarded as before.
    make_pack(env.folder / "w", "old", "a", requires=["httpx<0.20"])
    make_wheel(env.folder / "w", "httpx", "0.19.0")
    refused = install(env, "flownodes-old")
    assert (refused.code, "would break the installed pack flownodes-http" in refused.err) == (3, True)
    assert env("pack", "remove", "flownodes-lame", "--yes").code == 0


# --- update --------------------------------------------------------------------------------------


def test_an_update_moves_the_packs_that_are_named_and_no_others(env: Environment) -> None:
    for name in ("moves", "stays"):
        make_pack(env.folder / "w", name, "a")
    assert install(env, "flownodes-moves", "flownodes-stays").code == 0
    for name in ("moves", "stays"):
        make_pack(env.folder / "w", name, "a", "b", version="2.0")
    # Installing what is there already does not move it; --upgrade does.
    assert "Nothing to do" in install(env, "flownodes-moves").err
    ended = env("pack", "update", "flownodes-moves", "--find-links", "w", *OFFLINE)
    assert (ended.code, ended.out) == (0, "New node types: moves.b\n"), ended.err
    assert "~ flownodes-moves 1.0 → 2.0" in ended.err
    assert env.installed()["flownodes-stays"] == "1.0"
    assert install(env, "flownodes-stays", options=(*OFFLINE, "--upgrade")).code == 0
    assert env.installed()["flownodes-stays"] == "2.0"


def test_an_update_that_another_pack_does_not_go_with_is_held_back(env: Environment) -> None:
    make_pack(env.folder / "w", "base", "a")
    make_pack(env.folder / "w", "base", "a", version="2.0")
    make_pack(env.folder / "w", "leaning", "a", requires=["flownodes-base<2"])
    assert install(env, "flownodes-leaning", "flownodes-base").code == 0
    ended = env("pack", "update", "flownodes-base", "--find-links", "w", *OFFLINE)
    assert ended.code == 0
    assert "flownodes-base 2.0 is there, but flownodes-leaning does not go with it." in ended.err
    assert env.installed()["flownodes-base"] == "1.0"
    # The control: without the other it moves.
    assert env("pack", "remove", "flownodes-leaning", "--yes").code == 0
    assert env("pack", "update", "flownodes-base", "--find-links", "w", *OFFLINE).code == 0
    assert env.installed()["flownodes-base"] == "2.0"


def test_only_what_is_installed_from_releases_can_be_updated(env: Environment) -> None:
    unknown = env("pack", "update", "flownodes-nowhere", *OFFLINE)
    assert (unknown.code, "flow pack install flownodes-nowhere" in unknown.err) == (2, True)
    edited = env("pack", "update", "flownodes-debug", *OFFLINE)
    assert (edited.code, "update.editable" in edited.err) == (3, True)


# --- remove --------------------------------------------------------------------------------------


def test_a_removed_pack_is_gone_and_what_goes_with_it_is_told(env: Environment) -> None:
    make_pack(env.folder / "w", "goes", "a")
    install(env, "flownodes-goes")
    dry = env("pack", "remove", "flownodes-goes", "--dry-run")
    assert (dry.code, "flownodes-goes" in env.installed()) == (0, True)
    ended = env("pack", "remove", "Flownodes_Goes", "--yes")
    assert (ended.code, ended.out) == (0, "Gone: goes.a\n")
    assert "goes.a" in dry.err
    assert "flownodes-goes" not in env.installed()


@pytest.mark.parametrize(
    ("name", "code", "names"),
    [
        ("flowcore", "remove.core", ["flowcore"]),
        ("flownodes-http", "remove.needed", ["flownodes 0.1.0", "deny ="]),
        ("rich", "remove.no_pack", ["pip uninstall rich"]),
        ("http", "remove.unknown", ["flow pack remove flownodes-http"]),
        ("flownodes-htp", "remove.unknown", ["flownodes-http"]),
    ],
)
def test_what_must_stay_or_is_not_there_is_told(env: Environment, name: str, code: str, names: list[str]) -> None:
    before = env.installed()
    ended = env("pack", "remove", name, "--yes")
    assert ended.code in {2, 3}
    assert code in ended.err
    assert all(part in ended.err for part in names)
    assert env.installed() == before


def test_a_pack_that_another_one_needs_stays_until_both_go(env: Environment) -> None:
    make_pack(env.folder / "w", "below", "a")
    make_pack(env.folder / "w", "above", "a", requires=["flownodes-below"])
    assert install(env, "flownodes-above").code == 0
    alone = env("pack", "remove", "flownodes-below", "--yes")
    assert (alone.code, "flownodes-above 1.0 needs flownodes-below" in alone.err) == (3, True)
    assert env("pack", "remove", "flownodes-below", "flownodes-above", "--yes").code == 0
    assert {"flownodes-below", "flownodes-above"}.isdisjoint(env.installed())
