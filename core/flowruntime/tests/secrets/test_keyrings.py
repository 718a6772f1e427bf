"""Keys in a keyring, through the real library `keyring` with backends of each kind."""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from flowcore.contracts import SecretStore
from flowcore.errors import InstallationError
from flowruntime.secrets.keeping import SecretKeeper
from flowruntime.secrets.key_places import KeyringEntry
from flowruntime.secrets.keys import Key
from flowruntime.secrets.stored import StoredSecrets
from flowruntime.stores import store_for
from keyring.backend import KeyringBackend
from keyring.core import load_keyring
from keyring.errors import KeyringLocked

KEYS = (Key(bytes(range(32))), Key(bytes(32)))


class Kept(KeyringBackend):
    """A keyring that keeps what it is given while the test runs."""

    priority = 1

    def __init__(self) -> None:
        self.texts: dict[tuple[str, str], str] = {}
        self.at_writing: Callable[[], object] = lambda: None

    def get_password(self, service: str, username: str) -> str | None:
        return self.texts.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.at_writing()
        self.texts[service, username] = password


@pytest.fixture
def kept() -> Iterator[Kept]:
    before, made = keyring.get_keyring(), Kept()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "of the user"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SecretStore]:
    opened = store_for(f"sqlite:///{tmp_path / 'flow.db'}")
    opened.open()
    yield opened.secrets
    opened.close()


def refused(place: KeyringEntry) -> InstallationError:
    with pytest.raises(InstallationError, match="the keyring, entry 'secrets-key' of 'flownodes' cannot") as caught:
        place.write(KEYS)
    assert caught.value.code == "secret.key_unusable"
    assert 'key = "file"' in caught.value.remedy
    return caught.value


def test_a_keyring_keeps_the_keys_of_secrets(kept: Kept, folder: Path, store: SecretStore) -> None:
    place = KeyringEntry(folder)
    keeper, stored = SecretKeeper(store, place), StoredSecrets(store, lambda: place)
    assert place.read() == ()
    keeper.set("TOKEN", "hunter2", 1)
    (old,) = place.read()
    assert keeper.rotate()[0] == place.read()[0].id
    assert old in place.read()
    keeper.rotate(forget=True)
    assert len(place.read()) == 1
    assert stored.get("TOKEN") == "hunter2"
    assert len(kept.texts) == 1


def test_a_keyring_that_is_switched_off_keeps_no_key_and_so_no_secret(
    kept: Kept, folder: Path, store: SecretStore
) -> None:
    keyring.set_keyring(load_keyring("keyring.backends.null.Keyring"))
    assert "does not keep" in refused(KeyringEntry(folder)).message
    with pytest.raises(InstallationError):
        SecretKeeper(store, KeyringEntry(folder)).set("TOKEN", "hunter2", 1)
    assert store.list() == []
    keyring.set_keyring(kept)
    SecretKeeper(store, KeyringEntry(folder)).set("TOKEN", "hunter2", 1)
    assert len(store.list()) == 1


def test_a_machine_without_a_keyring_says_so(kept: Kept, folder: Path) -> None:
    keyring.set_keyring(load_keyring("keyring.backends.fail.Keyring"))
    assert "(NoKeyringError)" in refused(KeyringEntry(folder)).message
    with pytest.raises(InstallationError, match="NoKeyringError"):
        KeyringEntry(folder).read()


def test_a_keyring_that_stays_locked_says_so(kept: Kept, folder: Path) -> None:
    def locked() -> None:
        raise KeyringLocked

    kept.at_writing = locked
    assert "(KeyringLocked)" in refused(KeyringEntry(folder)).message


def test_a_keyring_that_waits_for_its_owner_is_given_up(kept: Kept, folder: Path) -> None:
    release = threading.Event()
    kept.at_writing = lambda: release.wait(60)
    try:
        assert "no answer in 0.05 s" in refused(KeyringEntry(folder, limit_seconds=0.05)).message
    finally:
        release.set()


def test_while_a_key_is_made_nobody_else_makes_one(kept: Kept, folder: Path, store: SecretStore) -> None:
    tried: list[str] = []

    def another() -> None:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            tried.append("may")
        except BlockingIOError:
            tried.append("waits")
        finally:
            os.close(descriptor)

    kept.at_writing = another
    SecretKeeper(store, KeyringEntry(folder)).set("TOKEN", "hunter2", 1)
    another()
    assert tried == ["waits", "may"]


def test_a_folder_that_cannot_be_locked_is_an_error(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InstallationError, match="File exists"), KeyringEntry(tmp_path / "file").locked():
        pass
