"""Checks `flow pack install|update|remove` with wheels, in a virtual environment, without a network."""

import os
import pty
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from apps.flowcli.tests.environments import Environment, make_environment, make_pack, make_wheel
from apps.flowcli.tests.flow_command import Ended

OFFLINE = ("--offline", "--yes")
#: One that has to be got from nowhere.
BUILD_SYSTEM = 'requires = []\nbuild-backend = "backend"\nbackend-path = ["."]'
BACKEND = """
import pathlib, zipfile

INFO = "flownodes_living-0.1.0.dist-info"
POINTS = "[flownodes]\\nliving = flownodes_living\\n"

def make(folder, files):
    name = "flownodes_living-0.1.0-py3-none-any.whl"
    files[f"{INFO}/METADATA"] = "Metadata-Version: 2.1\\nName: flownodes-living\\nVersion: 0.1.0\\n"
    files[f"{INFO}/WHEEL"] = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    files[f"{INFO}/entry_points.txt"] = POINTS
    files[f"{INFO}/RECORD"] = "".join(f"{file},,\\n" for file in [*files, f"{INFO}/RECORD"])
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return name

def build_wheel(folder, settings=None, metadata=None):
    src = pathlib.Path("src").absolute()
    return make(folder, {str(file.relative_to(src)): file.read_text() for file in src.rglob("*.*") if file.is_file()})

def build_editable(folder, settings=None, metadata=None):
    return make(folder, {"living.pth": str(pathlib.Path("src").absolute())})
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment for all tests here: what they install has names of its own."""
    return make_environment(tmp_path_factory.mktemp("installing") / "environment")


@pytest.fixture
def env(root: Path, tmp_path: Path) -> Environment:
    """Its command, in an empty folder with an empty wheelhouse `w`."""
    (tmp_path / "w").mkdir()
    return Environment(root, tmp_path, tmp_path / "home")


@pytest.fixture
def served(env: Environment) -> Iterator[str]:
    """The address of a server that has what is in the wheelhouse."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(env.folder / "w"))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


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


@pytest.mark.parametrize(
    "form", ["{url}", "flownodes-{name} @ {url}", "flownodes-{name}[more] @ {url}", "file://{path}"]
)
def test_an_address_can_be_named(env: Environment, form: str, served: str) -> None:
    name = f"addressed{len(form)}"
    wheel = make_pack(env.folder / "w", name, "shout")
    word = form.format(name=name, path=wheel, url=f"{served}/{wheel.name}")
    dry = env("pack", "install", word, "--dry-run")
    assert (dry.code, f"+ flownodes-{name} " in dry.err) == (0, True), dry.err
    assert f"flownodes-{name}" not in env.installed()
    ended = env("pack", "install", word, "--yes")
    assert (ended.code, ended.out) == (0, f"New node types: {name}.shout\n"), ended.err
    (origin,) = [pack["origin"] for pack in env("packs", "--json").json["packs"] if pack["namespace"] == name]
    assert origin == (f"file {wheel}" if form.startswith("file") else f"url {served}/{wheel.name}")


def test_what_an_address_brings_is_looked_at_as_everything_is(env: Environment, served: str) -> None:
    make_wheel(env.folder / "w", "plainthing")
    ended = env("pack", "install", f"{served}/plainthing-1.0-py3-none-any.whl", "--yes")
    assert (ended.code, "install.no_pack" in ended.err) == (3, True)
    make_pack(env.folder / "w", "misnamed", "a")
    other = env("pack", "install", f"flownodes-other @ {served}/flownodes_misnamed-1.0-py3-none-any.whl", "--yes")
    assert other.code == 3
    assert {"plainthing", "flownodes-misnamed"}.isdisjoint(env.installed())


def test_a_folder_can_be_installed_editable(env: Environment) -> None:
    assert env("pack", "new", "living").code == 0
    project = env.folder / "flownodes-living" / "pyproject.toml"
    theirs = 'requires = ["hatchling"]\nbuild-backend = "hatchling.build"'
    assert theirs in project.read_text()
    project.write_text(project.read_text().replace(theirs, BUILD_SYSTEM))
    (project.parent / "backend.py").write_text(BACKEND)
    dry = env("pack", "install", "-e", "flownodes-living", "--dry-run")
    assert (dry.code, "+ flownodes-living" in dry.err) == (0, True), dry.err
    ended = env("pack", "install", "-e", "flownodes-living", "--yes")
    assert (ended.code, ended.out) == (0, "New node types: living.hello\n"), ended.err
    assert env("pack", "new", "living", "--node", "bye").code == 0
    assert {"living.bye", "living.hello"} <= {row["id"] for row in env("nodes", "--json").json["nodes"]}
    kept = env("pack", "update", "flownodes-living", "--yes")
    assert (kept.code, "update.editable" in kept.err) == (3, True)
    assert "belongs to `flow pack install`" in env("pack", "remove", "-e", "flownodes-living").err
    assert env("pack", "remove", "flownodes-living", "--yes").code == 0


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
    name = f"asked{len(answer)}"
    make_pack(env.folder / "w", name, "shout")
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    ended = subprocess.run(
        env.command("pack", "install", f"flownodes-{name}", "--offline", "--find-links", "w"),
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
    assert (f"flownodes-{name}" in env.installed()) == done


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
        (["git+https://example.org/a.git"], "install.address", 2),
        (["flowcore @ https://example.org/flowcore-9.0-py3-none-any.whl"], "install.core", 3),
        (["-e", "nowhere"], "pack.no_project", 2),
        (["w/torn-1.0.tar.gz"], "install.bad_file", 2),
        ([], "usage.wrong", 2),
    ],
)
def test_what_cannot_be_installed_is_told_with_what_to_do(
    env: Environment, words: list[str], code: str, exit_code: int
) -> None:
    make_pack(env.folder / "w", "lacking", "a", requires=["not-to-be-had"])
    env.write("w/torn-1.0-py3-none-any.whl", "torn")
    env.write("w/torn-1.0.tar.gz", "torn")
    ended = install(env, *words, options=("--offline", "--yes", "--json"))
    assert (ended.code, ended.json["error"]["code"]) == (exit_code, code)
    assert ended.json["error"]["remedy"]
    assert "Traceback" not in ended.err


def test_a_folder_that_has_the_name_of_what_is_not_found_is_pointed_to(env: Environment) -> None:
    assert env("pack", "new", "beside").code == 0
    ended = install(env, "flownodes-beside")
    assert (ended.code, "install.not_found" in ended.err) == (3, True)
    assert "flow pack install ./flownodes-beside" in ended.err


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


def test_of_an_update_that_breaks_the_way_back_is_told(env: Environment) -> None:
    make_pack(env.folder / "w", "breaking", "a")
    assert install(env, "flownodes-breaking").code == 0
    make_pack(env.folder / "w", "breaking", "a", version="2.0", source="raise RuntimeError('no')")
    ended = env("pack", "update", "flownodes-breaking", "--find-links", "w", *OFFLINE)
    assert (ended.code, "inspect.raised" in ended.err) == (3, True)
    back = "flownodes-breaking==1.0"
    assert f"To go back: flow pack install {back}\n" in ended.err
    assert install(env, back).code == 0
    assert env.installed()["flownodes-breaking"] == "1.0"


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


# --- interrupted ---------------------------------------------------------------------------------


def test_a_ctrl_c_during_an_installation_leaves_no_half_of_it(env: Environment) -> None:
    many = {f"manyfiles/{number}.txt": "text" for number in range(4000)}
    make_wheel(env.folder / "w", "manyfiles", files={"manyfiles/__init__.py": "", **many})
    make_pack(env.folder / "w", "cut", "a", requires=["manyfiles"])
    command = env.command("pack", "install", "flownodes-cut", "--find-links", "w", *OFFLINE)

    (packages,) = (env.root / "lib").glob("python*/site-packages")
    with subprocess.Popen(
        command,
        cwd=env.folder,
        env=env.environment,
        start_new_session=True,  # so that its processes get the Ctrl-C of a terminal, and the tests do not
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        while process.poll() is None and not (packages / "manyfiles").exists():
            pass
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        said = process.communicate()[0].decode()
    assert process.returncode in {130, -signal.SIGINT}, said
    assert "Interrupted." in said
    assert len(list((packages / "manyfiles").iterdir())) == 4001
    assert env("pack", "remove", "flownodes-cut", "--yes").code == 0
