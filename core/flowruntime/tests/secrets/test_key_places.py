"""Where keys lie: a file for its owner alone, the environment, the keyring; and how one of them is chosen."""

import os
import stat
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from flowcore.errors import InstallationError
from flowruntime.secrets.key_places import KeyEnvironment, KeyFile, KeyringEntry
from flowruntime.secrets.keys import Key, read_keys, write_keys
from flowruntime.secrets.settings import choose_key_place

KEYS = (Key(bytes(range(32))), Key(bytes(32)))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLOW_HOME", str(tmp_path))
    for name in ("FLOW_SECRETS_KEY", "FLOW_SECRETS_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def place(tmp_path: Path) -> KeyFile:
    made = KeyFile(tmp_path / "new" / "folder" / "secrets.key")
    made.write(KEYS)
    return made


def test_keys_are_read_as_they_were_written(place: KeyFile) -> None:
    assert place.read() == KEYS
    place.write(KEYS[:1])
    assert place.read() == KEYS[:1]
    assert os.listdir(place.path.parent) == [place.path.name]  # noqa: PTH208 - names are enough


def test_only_the_owner_can_read_the_file(place: KeyFile) -> None:
    assert stat.S_IMODE(place.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.path.parent.stat().st_mode) == 0o700


def test_a_link_stays_a_link(place: KeyFile, tmp_path: Path) -> None:
    link = KeyFile(tmp_path / "link")
    link.path.symlink_to(place.path)
    link.write(KEYS[:1])
    assert link.path.is_symlink()
    assert place.read() == link.read() == KEYS[:1]


def test_links_in_a_circle_are_no_place_of_keys(tmp_path: Path) -> None:
    place = KeyFile(tmp_path / "link")
    place.path.symlink_to(place.path)
    for act in (place.read, lambda: place.write(KEYS), lambda: place.locked().__enter__()):
        with pytest.raises(InstallationError, match="cannot be read: Too many levels of symbolic links") as caught:
            act()
        assert caught.value.code == "secret.key_unusable"


def test_what_a_process_left_that_was_killed_while_it_wrote_keys_is_removed(place: KeyFile) -> None:
    (place.path.parent / ".secrets-killed").write_text(write_keys(KEYS))
    (place.path.parent / "other").write_text("")
    with place.locked():
        assert {path.name for path in place.path.parent.iterdir()} == {place.path.name, "other"}
    assert place.read() == KEYS


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o660])
def test_a_file_that_others_can_read_or_change_is_refused(place: KeyFile, mode: int) -> None:
    place.path.chmod(mode)
    with pytest.raises(InstallationError, match="others can read or change") as caught:
        place.read()
    assert caught.value.code == "secret.key_exposed"
    assert "chmod 600" in caught.value.remedy


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_somebody_else_is_refused(place: KeyFile) -> None:
    os.chown(place.path, 12345, -1)
    with pytest.raises(InstallationError, match="others can read or change"):
        place.read()


def test_no_file_means_no_keys(tmp_path: Path) -> None:
    assert KeyFile(tmp_path / "none").read() == ()


def test_what_is_no_file_and_no_readable_place_says_so(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(InstallationError) as caught:
            KeyFile(path).read()
        assert caught.value.code == "secret.key_unusable"
    (tmp_path / "file").write_text("")
    with pytest.raises(InstallationError, match="cannot be written"):
        KeyFile(tmp_path / "file" / "key").write(KEYS)


@pytest.mark.parametrize("text", ["hunter2", "AAAA", b64encode(bytes(31)).decode(), "é" * 44, "a b"])
def test_what_is_no_key_is_not_shown(text: str) -> None:
    with pytest.raises(InstallationError, match="in the place is no key") as caught:
        read_keys(text, "the place")
    assert text not in str(caught.value)


def test_keys_may_stand_in_lines_or_with_spaces_and_in_both_alphabets() -> None:
    plain = b64encode(bytes([255] * 32)).decode()
    assert read_keys(f"# comment\n{plain} {plain.replace('/', '_')}\n\n", "") == (Key(bytes([255] * 32)),) * 2
    assert read_keys(write_keys(KEYS), "") == KEYS


def test_a_key_shows_itself_nowhere() -> None:
    assert repr(KEYS[0]) == "Key()"
    assert KEYS[0].id != KEYS[1].id


def test_the_environment_gives_keys_and_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert KeyEnvironment().read() == ()
    monkeypatch.setenv("FLOW_SECRETS_KEY", write_keys(KEYS))
    assert KeyEnvironment().read() == KEYS
    with pytest.raises(InstallationError, match="nothing can be written"):
        KeyEnvironment().write(KEYS)


def test_a_keyring_needs_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(InstallationError, match="is not installed") as caught:
        KeyringEntry(tmp_path).read()
    assert caught.value.code == "secret.no_keyring"


def chosen(settings: Path | None = None) -> str:
    return choose_key_place(settings).where


def test_the_file_lies_in_the_home_of_flow_or_in_the_users_config_directory(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chosen() == f"the file '{home}/secrets.key'"
    monkeypatch.delenv("FLOW_HOME")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    assert chosen() == f"the file '{home}/config/flownodes/secrets.key'"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(home))
    assert chosen() == f"the file '{home}/.config/flownodes/secrets.key'"


def test_settings_choose_and_the_environment_chooses_before_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = home / "flow.toml"
    settings.write_text('[packs]\ndeny = ["x"]\n')
    assert chosen(settings) == f"the file '{home}/secrets.key'"
    settings.write_text('[secrets]\nkey_file = "my.key"\n')
    assert chosen(settings) == f"the file '{home}/my.key'"
    settings.write_text('[secrets]\nkey = "keyring"\n')
    assert "keyring" in chosen(settings)
    settings.write_text('[secrets]\nkey = "environment"\n')
    assert "FLOW_SECRETS_KEY" in chosen(settings)
    monkeypatch.setenv("FLOW_SECRETS_KEY_FILE", str(home / "other.key"))
    assert chosen(settings) == f"the file '{home}/other.key'"
    monkeypatch.setenv("FLOW_SECRETS_KEY", "x")
    assert "FLOW_SECRETS_KEY" in chosen(settings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[secrets\n", "cannot be read"),
        ("secrets = 1\n", "must be a table"),
        ("[secrets]\nkeys = 1\n", "no key 'keys'"),
        ('[secrets]\nkey = "safe"\n', "must be one of"),
        ("[secrets]\nkey = [1]\n", "must be one of"),
        ("[secrets]\nkey_file = 1\n", "must be a path"),
    ],
)
def test_settings_that_say_something_else_are_an_error(home: Path, text: str, said: str) -> None:
    settings = home / "flow.toml"
    settings.write_text(text)
    with pytest.raises(InstallationError, match=said) as caught:
        chosen(settings)
    assert str(settings) in caught.value.message
    assert caught.value.remedy
