"""Secrets in a database: sealed, opened with the right key only, and never lost by a change of keys."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flowcore.contracts import EncryptedSecret, SecretStore
from flowcore.errors import InstallationError
from flowruntime.secrets.keeping import SecretKeeper
from flowruntime.secrets.key_places import KeyEnvironment, KeyFile
from flowruntime.secrets.keys import Key, write_keys
from flowruntime.secrets.stored import StoredSecrets
from flowruntime.stores import store_for

NAMES = [f"NAME{number}" for number in range(6)]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'flow.db'}"


@pytest.fixture
def store(url: str) -> Iterator[SecretStore]:
    opened = store_for(url)
    opened.open()
    yield opened.secrets
    opened.close()


@pytest.fixture
def place(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys" / "secrets.key")


@pytest.fixture
def keeper(store: SecretStore, place: KeyFile) -> SecretKeeper:
    return SecretKeeper(store, place)


@pytest.fixture
def stored(store: SecretStore, place: KeyFile) -> StoredSecrets:
    return StoredSecrets(store, lambda: place)


def fails(stored: StoredSecrets, name: str = "TOKEN") -> InstallationError:
    with pytest.raises(InstallationError) as caught:
        stored.get(name)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("text", ["hunter2", "ünïcödé\n\0", "x" * 60_000])
def test_a_secret_comes_back_as_it_was_set(keeper: SecretKeeper, stored: StoredSecrets, text: str) -> None:
    keeper.set("TOKEN", text, 1)
    assert (stored.get("TOKEN"), stored.get("OTHER"), stored.names()) == (text, None, ["TOKEN"])
    keeper.set("TOKEN", "another", 2)
    assert stored.get("TOKEN") == "another"
    assert (keeper.remove("TOKEN"), keeper.remove("TOKEN"), stored.get("TOKEN")) == (True, False, None)


def test_neither_the_database_nor_the_key_file_has_the_text(
    keeper: SecretKeeper, tmp_path: Path, place: KeyFile
) -> None:
    keeper.set("TOKEN", "hunter2-canary", 1)
    found = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert place.path in found
    assert any(b"TOKEN" in data for data in found.values()), "the search finds what is there"
    assert not any(b"hunter2" in data for data in found.values())


def test_the_same_text_is_never_sealed_alike(keeper: SecretKeeper, store: SecretStore) -> None:
    keeper.set("A", "text", 1)
    keeper.set("B", "text", 1)
    one, other = store.list()
    assert one.key_id == other.key_id
    assert one.ciphertext[13:] != other.ciphertext[13:]


def test_a_secret_that_was_put_under_another_name_does_not_open(
    keeper: SecretKeeper, stored: StoredSecrets, store: SecretStore
) -> None:
    keeper.set("CHEAP", "one", 1)
    keeper.set("DEAR", "two", 1)
    dear = store.get("DEAR")
    assert dear is not None
    store.put(replace(dear, name="CHEAP"))
    assert fails(stored, "CHEAP").code == "secret.damaged"


@pytest.mark.parametrize("at", [0, 1, 13, -1])
def test_a_secret_that_was_changed_does_not_open(
    keeper: SecretKeeper, stored: StoredSecrets, store: SecretStore, at: int
) -> None:
    keeper.set("TOKEN", "text", 1)
    sealed = store.get("TOKEN")
    assert sealed is not None
    data = bytearray(sealed.ciphertext)
    data[at] ^= 1
    for ciphertext in (bytes(data), b"", sealed.ciphertext[:5]):
        store.put(replace(sealed, ciphertext=ciphertext))
        assert fails(stored).code == "secret.damaged"


def test_without_its_key_a_secret_says_which_one_it_needs_and_where_that_was_looked_for(
    keeper: SecretKeeper, stored: StoredSecrets, store: SecretStore, place: KeyFile
) -> None:
    keeper.set("TOKEN", "text", 1)
    (key,) = place.read()
    place.path.unlink()
    error = fails(stored)
    assert error.code == "secret.key_missing"
    assert key.id in error.message
    assert str(place.path) in error.message
    place.write([Key.random()])
    assert fails(stored).code == "secret.key_missing"
    place.write([Key.random(), key])
    assert stored.get("TOKEN") == "text"


def test_another_key_is_not_used_beside_secrets_whose_key_is_missing(
    keeper: SecretKeeper, store: SecretStore, place: KeyFile
) -> None:
    keeper.set("OLD", "text", 1)
    place.path.unlink()
    with pytest.raises(InstallationError, match="'OLD' was sealed with the key"):
        keeper.set("NEW", "text", 1)
    assert not place.path.exists()
    assert keeper.remove("OLD")
    keeper.set("NEW", "text", 1)


def test_new_keys_are_found_without_a_new_start(keeper: SecretKeeper, stored: StoredSecrets, place: KeyFile) -> None:
    keeper.set("TOKEN", "text", 1)
    assert stored.get("TOKEN") == "text"
    keeper.rotate(forget=True)
    assert stored.get("TOKEN") == "text"


def test_rotation_seals_everything_anew_and_keeps_old_keys_unless_told(
    keeper: SecretKeeper, stored: StoredSecrets, store: SecretStore, place: KeyFile
) -> None:
    for name in NAMES:
        keeper.set(name, f"text of {name}", 7)
    (old,) = place.read()
    key_id, count = keeper.rotate()
    assert count == len(NAMES)
    assert [key.id for key in place.read()] == [key_id, old.id]
    assert {(sealed.key_id, sealed.updated_us) for sealed in store.list()} == {(key_id, 7)}
    key_id, _ = keeper.rotate(forget=True)
    assert [key.id for key in place.read()] == [key_id]
    assert [stored.get(name) for name in NAMES] == [f"text of {name}" for name in NAMES]


def test_a_rotation_takes_each_secret_as_it_is_when_it_is_its_turn(
    keeper: SecretKeeper, stored: StoredSecrets, store: SecretStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("A", "B", "C"):
        keeper.set(name, "old", 1)
    put = store.put

    def meanwhile(secret: EncryptedSecret) -> None:
        put(secret)
        monkeypatch.setattr(store, "put", put)
        store.remove("B")
        keeper.set("C", "new", 2)

    monkeypatch.setattr(store, "put", meanwhile)
    monkeypatch.setattr(KeyFile, "locked", lambda _: contextlib.nullcontext())  # as on another machine
    keeper.rotate()
    assert (stored.get("A"), stored.get("B"), stored.get("C")) == ("old", None, "new")


def test_rotation_changes_nothing_when_a_secret_cannot_be_opened(
    keeper: SecretKeeper, store: SecretStore, place: KeyFile
) -> None:
    keeper.set("A", "text", 1)
    store.put(EncryptedSecret(name="B", ciphertext=b"?", key_id="unknown", updated_us=1))
    before = place.path.read_bytes(), store.list()
    with pytest.raises(InstallationError, match="'B' was sealed with the key unknown"):
        keeper.rotate(forget=True)
    assert (place.path.read_bytes(), store.list()) == before


@pytest.mark.parametrize("done", range(len(NAMES) + 1))
def test_a_rotation_that_is_killed_loses_nothing_and_can_be_made_again(
    url: str, stored: StoredSecrets, store: SecretStore, place: KeyFile, done: int
) -> None:
    keeper = SecretKeeper(store, place)
    for name in NAMES:
        keeper.set(name, f"text of {name}", 1)
    code = (
        "import os, sys, signal\n"
        "from pathlib import Path\n"
        "from flowruntime.secrets.keeping import SecretKeeper\n"
        "from flowruntime.secrets.key_places import KeyFile\n"
        "from flowruntime.stores import store_for\n"
        "store = store_for(sys.argv[1]); store.open()\n"
        "class Dying(KeyFile):\n"
        "    def write(self, keys):\n"
        "        if len(keys) == 1: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        super().write(keys)\n"
        "put, left = store.secrets.put, [int(sys.argv[3])]\n"
        "def dying(secret):\n"
        "    if not left[0]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    left[0] -= 1; put(secret)\n"
        "store.secrets.put = dying\n"
        "SecretKeeper(store.secrets, Dying(Path(sys.argv[2]))).rotate(forget=True)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, url, place.path, str(done)], check=False, timeout=180)
    assert killed.returncode == -signal.SIGKILL
    assert len({sealed.key_id for sealed in store.list()}) == (1 if done in (0, len(NAMES)) else 2)
    assert [stored.get(name) for name in NAMES] == [f"text of {name}" for name in NAMES]
    keeper.rotate(forget=True)
    assert len(place.read()) == 1
    assert [stored.get(name) for name in NAMES] == [f"text of {name}" for name in NAMES]


def test_keys_in_the_environment_are_rotated_by_whoever_sets_it(
    store: SecretStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, stored = SecretKeeper(store, KeyEnvironment()), StoredSecrets(store, KeyEnvironment)
    old, new = Key.random(), Key.random()
    monkeypatch.delenv("FLOW_SECRETS_KEY", raising=False)
    with pytest.raises(InstallationError, match="nothing can be written"):
        keeper.set("TOKEN", "text", 1)
    with pytest.raises(InstallationError, match="no key for secrets in the environment"):
        keeper.rotate()
    monkeypatch.setenv("FLOW_SECRETS_KEY", write_keys([old]))
    keeper.set("TOKEN", "text", 1)
    assert keeper.rotate(forget=True) == (old.id, 0)
    monkeypatch.setenv("FLOW_SECRETS_KEY", write_keys([new, old]))
    assert keeper.rotate() == (new.id, 1)
    monkeypatch.setenv("FLOW_SECRETS_KEY", write_keys([new]))
    assert stored.get("TOKEN") == "text"


def test_a_missing_library_is_said_with_what_to_install(keeper: SecretKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(InstallationError, match="need the library `cryptography`") as caught:
        keeper.set("TOKEN", "text", 1)
    assert "pip install" in caught.value.remedy


def test_two_first_secrets_at_the_same_time_share_one_key(url: str, store: SecretStore, place: KeyFile) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from flowruntime.secrets.keeping import SecretKeeper\n"
        "from flowruntime.secrets.key_places import KeyFile\n"
        "from flowruntime.stores import store_for\n"
        "store = store_for(sys.argv[1]); store.open(); sys.stdin.readline()\n"
        "SecretKeeper(store.secrets, KeyFile(Path(sys.argv[2]))).set(sys.argv[3], 'text', 1)\n"
    )
    command = [sys.executable, "-c", code, url, str(place.path)]
    setters = [subprocess.Popen([*command, name], stdin=subprocess.PIPE, text=True) for name in ("A", "B", "C")]
    for setter in setters:
        setter.communicate(os.linesep, timeout=180)
    stored = StoredSecrets(store, lambda: place)
    assert [stored.get(name) for name in ("A", "B", "C")] == ["text"] * 3
    assert len(place.read()) == 1
