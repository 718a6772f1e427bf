"""`flow secrets`: secrets are set, listed, removed and sealed anew, and never shown."""

import contextlib
import os
import pty
import re
import stat
import subprocess
from pathlib import Path

import pytest

from apps.flowcli.tests.flow_command import NODES, Flow, FlowInside, chain, node

CANARY = "canary-c0ffee-42"
VAULT = """
from flowruntime.hooks import hookimpl

class Vault:
    name = "vault"
    def get(self, name): return None
    def names(self):
        print("asked")
        return [3, "A", None]

@hookimpl
def secret_providers(): return [Vault()]
"""


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, flow: Flow, flow_inside: FlowInside) -> Path:
    """Keys and the default database lie in the home: here each test has its own."""
    home = tmp_path / "home"
    home.mkdir()
    for command in (flow, flow_inside):
        command.environment["FLOW_HOME"] = str(home)
        for name in ("FLOW_SECRETS_KEY", "FLOW_SECRETS_KEY_FILE"):
            command.environment.pop(name, None)
    return home


def test_a_secret_from_stdin_reaches_a_node_and_is_shown_nowhere(flow: Flow, own_home: Path) -> None:
    set_it = flow("secrets", "set", "TOKEN", stdin=f"{CANARY}\n")
    assert (set_it.code, set_it.out, set_it.err) == (0, "", "TOKEN: set\n")
    listed = flow("secrets", "list")
    assert re.fullmatch(r"name +from +updated +key\nTOKEN +database +\S+ +[0-9a-f]{12}\n", listed.out)
    talking = chain(node("a", "local.talk", text="${{ secrets.TOKEN }}"))
    written = flow.write("w.json", {**talking, "outputs": {"is": f"${{{{ nodes.a.result == '{CANARY}' }}}}"}})
    ran = flow("run", written, "--nodes", NODES)
    assert ran.code == 0, ran.err
    assert '"is": true' in ran.out
    assert CANARY not in ran.err
    assert stat.S_IMODE((own_home / "secrets.key").stat().st_mode) == 0o600
    for shown in (set_it, listed):
        assert CANARY not in shown.out + shown.err


def test_commands_answer_in_json(flow_inside: FlowInside) -> None:
    flow = flow_inside
    assert flow("secrets", "list", "--json").json == {"secrets": []}
    made = flow("secrets", "set", "TOKEN", "--json", stdin=CANARY).json
    (listed,) = flow("secrets", "list", "--json").json["secrets"]
    assert listed == {**made, "from": "database", "key_id": listed["key_id"]}
    rotated = flow("secrets", "rotate", "--json").json
    assert rotated["encrypted"] == 1
    assert rotated["key_id"] != listed["key_id"]
    assert flow("secrets", "remove", "TOKEN", "--json").json == {"name": "TOKEN", "removed": True}
    assert flow("secrets", "list", "--json").json == {"secrets": []}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("line\n", "line"),
        ("line\r\n", "line"),
        ("line", "line"),
        ("  line  ", "  line  "),
        ("two\nlines\n", "two\nlines\n"),
        ("line\n\n", "line\n\n"),
    ],
)
def test_the_end_of_a_single_line_is_no_part_of_a_secret(
    flow_inside: FlowInside, own_home: Path, monkeypatch: pytest.MonkeyPatch, given: str, kept: str
) -> None:
    from flowruntime.runtime import key_place
    from flowruntime.secrets.stored import StoredSecrets
    from flowruntime.stores import default_url, store_for

    monkeypatch.setenv("FLOW_HOME", str(own_home))
    flow_inside.write("file", given)
    flow_inside("secrets", "set", "STDIN", stdin=given)
    flow_inside("secrets", "set", "FILE", "--from-file", "file")
    flow_inside("secrets", "set", "DASH", "--from-file", "-", stdin=given)
    store = store_for(default_url(), read_only=True)
    store.open()
    stored = StoredSecrets(store.secrets, key_place)
    assert [stored.get(name) for name in ("STDIN", "FILE", "DASH")] == [kept] * 3
    store.close()


def at_a_terminal(flow: Flow, typed: bytes) -> tuple[int, bytes]:
    """How `secrets set TOKEN` ends when this is typed, and what the terminal has shown."""
    terminal, its_end = pty.openpty()
    process = subprocess.Popen(
        flow.command("secrets", "set", "TOKEN"),
        cwd=flow.folder,
        env=flow.environment,
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        start_new_session=True,
    )
    os.close(its_end)
    shown = b""
    while not shown.endswith(b"TOKEN: "):
        shown += os.read(terminal, 1000)
    for begin in range(0, len(typed), 500):
        os.write(terminal, typed[begin : begin + 500])
    with contextlib.suppress(OSError):  # so a terminal says that nobody is there any more
        while data := os.read(terminal, 1000):
            shown += data
    os.close(terminal)
    return process.wait(60), shown


def test_on_a_terminal_the_text_is_asked_for_and_not_echoed(flow: Flow) -> None:
    assert at_a_terminal(flow, CANARY.encode() + b"\n") == (0, b"TOKEN: \r\nTOKEN: set\r\n")
    assert [row["name"] for row in flow("secrets", "list", "--json").json["secrets"]] == ["TOKEN"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (b"x" * 5000 + b"\n", b"longer than the one line"),
        (b"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n", b"longer than the one line"),
        (b"caf\xe9 canary\n", b"no text in UTF-8"),
    ],
)
def test_what_a_terminal_cannot_give_whole_is_refused(flow: Flow, typed: bytes, said: bytes) -> None:
    code, shown = at_a_terminal(flow, typed)
    assert (code, said in shown) == (2, True)
    assert flow("secrets", "list", "--json").json == {"secrets": []}


@pytest.mark.parametrize("words", [("secrets", "list"), ("eval", "shout('a')")])
def test_the_plugins_of_a_denied_distribution_are_not_imported(
    flow: Flow, words: tuple[str, ...], tmp_path: Path
) -> None:
    site, imported = tmp_path / "site", tmp_path / "imported"
    info = site / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "acme_hooks.py").write_text(f"open({str(imported)!r}, 'w').close()\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[flownodes.hooks]\nacme = acme_hooks\n")
    flow(*words, PYTHONPATH=str(site), FLOW_SAFE_MODE="1")
    assert not imported.exists()
    flow.write("flow.toml", '[packs]\ndeny = ["acme"]\n')
    flow(*words, PYTHONPATH=str(site))
    assert not imported.exists()
    flow.write("flow.toml", "")
    flow(*words, PYTHONPATH=str(site))
    assert imported.exists(), "permitted, it is asked"


def test_names_that_a_plugin_gives_and_that_are_no_texts_are_left_out(flow: Flow, tmp_path: Path) -> None:
    info = tmp_path / "site" / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "site" / "acme_hooks.py").write_text(VAULT)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[flownodes.hooks]\nacme = acme_hooks\n")
    listed = flow("secrets", "list", "--json", PYTHONPATH=str(tmp_path / "site"))
    assert listed.json == {"secrets": [{"name": "A", "from": "vault"}]}
    assert "asked" in listed.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("set",), "takes one name"),
        (("set", "TOKEN", CANARY), "takes one name"),
        (("set", "1TOKEN"), "cannot be named '1TOKEN'"),
        (("set", "TO-KEN"), "cannot be named 'TO-KEN'"),
        (("set", "T" * 129), "cannot be named"),
        (("set", "TOKEN"), "is empty"),
        (("set", "TOKEN", "--from-file", "none"), "There is no file 'none'"),
        (("set", "TOKEN", "--db", "memory:"), "keeps no secrets"),
        (("set", "TOKEN", "--forget-old-keys"), "does not take '--forget-old-keys'"),
        (("list", "TOKEN"), "takes no names"),
        (("list", "--from-file", "x"), "does not take '--from-file'"),
        (("remove",), "takes one name"),
        (("remove", "TOKEN"), "has no secret 'TOKEN'"),
        (("rotate", "TOKEN"), "takes no names"),
        (("show", "TOKEN"), "invalid choice"),
    ],
)
def test_wrong_words_are_told_and_the_text_of_a_secret_is_not_repeated(
    flow_inside: FlowInside, words: tuple[str, ...], said: str
) -> None:
    ended = flow_inside("secrets", *words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert CANARY not in ended.err


def test_what_is_too_long_or_no_text_is_refused(flow_inside: FlowInside) -> None:
    assert flow_inside("secrets", "set", "TOKEN", stdin="x" * 65536).code == 0
    assert flow_inside("secrets", "set", "TOKEN", stdin="x" * 65537).code == 2
    refused = flow_inside("secrets", "set", "TOKEN", stdin=b"\xff\xfe" * 5)
    assert refused.code == 2
    assert "no text in UTF-8" in refused.err


def test_the_list_tells_of_the_environment_too_and_set_warns_of_it(flow_inside: FlowInside) -> None:
    flow = flow_inside
    warned = flow("secrets", "set", "TOKEN", stdin="stored", FLOW_SECRET_TOKEN=CANARY)
    assert "FLOW_SECRET_TOKEN is what nodes get" in warned.err
    listed = flow("secrets", "list", "--json", FLOW_SECRET_TOKEN=CANARY)
    assert [row["from"] for row in listed.json["secrets"]] == ["environment", "database"]
    assert CANARY not in listed.out + listed.err


def test_a_missing_or_exposed_key_makes_the_installation_unusable_and_says_where_it_should_be(
    flow_inside: FlowInside, own_home: Path
) -> None:
    flow = flow_inside
    flow("secrets", "set", "TOKEN", stdin=CANARY)
    key = own_home / "secrets.key"
    key.chmod(0o644)
    exposed = flow("secrets", "rotate")
    assert (exposed.code, "secret.key_exposed" in exposed.err, str(key) in exposed.err) == (3, True, True)
    key.unlink()
    for words in (("rotate",), ("set", "OTHER")):
        missing = flow("secrets", *words, stdin="text")
        assert (missing.code, "secret.key_missing" in missing.err, str(key) in missing.err) == (3, True, True)
    assert flow("secrets", "list").code == 0
    assert flow("secrets", "remove", "TOKEN").code == 0
    assert flow("secrets", "set", "OTHER", stdin="text").code == 0


def test_rotating_with_the_key_in_the_environment_says_how(flow_inside: FlowInside) -> None:
    flow = flow_inside
    old, new = "A" * 42 + "E=", "B" * 42 + "E="
    flow("secrets", "set", "TOKEN", stdin=CANARY, FLOW_SECRETS_KEY=old)
    unchanged = flow("secrets", "rotate", FLOW_SECRETS_KEY=old)
    assert "put a new key before the old one" in unchanged.err
    assert "1 secret encrypted anew" in flow("secrets", "rotate", FLOW_SECRETS_KEY=f"{new} {old}").err
    assert flow("secrets", "rotate", FLOW_SECRETS_KEY=new).code == 0
    assert flow("secrets", "rotate", FLOW_SECRETS_KEY=old).code == 3


def test_the_settings_say_where_the_key_lies(flow_inside: FlowInside, own_home: Path) -> None:
    flow_inside.write("flow.toml", '[secrets]\nkey_file = "mine.key"\n')
    assert flow_inside("secrets", "set", "TOKEN", stdin=CANARY).code == 0
    assert (flow_inside.folder / "mine.key").exists()
    assert not (own_home / "secrets.key").exists()
    flow_inside.write("flow.toml", '[secrets]\nkey_fil = "mine.key"\n')
    wrong = flow_inside("secrets", "set", "TOKEN", stdin=CANARY)
    assert (wrong.code, "no key 'key_fil'" in wrong.err) == (3, True)
