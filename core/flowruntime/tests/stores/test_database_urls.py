"""Database URLs name the files they say, and what is no URL is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flowcore.errors import StoreError
from flowruntime.permits import Rules, hold_permits, permits_held
from flowruntime.stores import MEMORY, MemoryStore, default_url, store_for
from flowruntime.stores.sqlite import SqliteStore


def path_of(url: str) -> str:
    store = store_for(url)
    assert isinstance(store, SqliteStore)
    return store.path


def test_three_slashes_begin_a_relative_path_and_four_an_absolute_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert path_of("sqlite:///data/flow.db") == str(tmp_path / "data" / "flow.db")
    assert path_of("sqlite:////data/flow.db") == "/data/flow.db"
    assert path_of("sqlite:////data/with%20space.db") == "/data/with space.db"
    assert path_of("sqlite:////data/flow.db?synchronous=normal") == "/data/flow.db"
    assert path_of("sqlite:////data/what%3F.db") == "/data/what?.db"


def test_a_relative_path_from_a_working_directory_that_was_removed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(StoreError, match="working directory, which is not there any more") as caught:
        store_for("sqlite:///flow.db")
    assert caught.value.code == "store.no_folder"
    assert path_of("sqlite:////data/flow.db") == "/data/flow.db"


def test_memory_is_the_store_that_keeps_nothing() -> None:
    assert isinstance(store_for(MEMORY), MemoryStore)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "flow.db",
        "sqlite:",
        "sqlite:///",
        "sqlite:////data/",
        "sqlite://data/flow.db",
        "sqlite:///flow.db?synchronous=off",
        "sqlite:///flow.db?mode=ro",
        "sqlite:///:memory:",
    ],
)
def test_what_is_no_url_of_ours_is_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        store_for(url)
    assert caught.value.code == "store.url"
    assert repr(url) in caught.value.message
    assert caught.value.remedy


def test_a_store_that_is_not_installed_is_named_with_what_brings_it_and_without_its_password() -> None:
    with pytest.raises(StoreError) as caught:
        store_for("postgresql://me:hunter2@host/flow")
    assert caught.value.code == "store.url"
    assert "flownodes[postgres]" in caught.value.remedy
    assert "hunter2" not in str(caught.value)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A distribution that brings a store for the scheme `shelf`, and one that breaks."""
    info = tmp_path / "acme_stores-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-stores\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[flownodes.stores]\nshelf = acme_stores:open_store\nbroken = acme_stores:missing\n"
    )
    (tmp_path / "acme_stores.py").write_text(
        "from flowruntime.stores import MemoryStore\n\n"
        "def open_store(url, *, read_only):\n"
        "    store = MemoryStore()\n"
        "    store.given = (url, read_only)\n"
        "    return store\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    before = permits_held()
    yield "acme-stores"
    hold_permits(before)


def test_a_distribution_brings_a_store_by_the_scheme_of_its_urls(installed: str) -> None:
    store = store_for("shelf://one?two", read_only=True)
    assert store.given == ("shelf://one?two", True)  # type: ignore[attr-defined]


def test_a_store_that_cannot_be_loaded_is_told(installed: str) -> None:
    with pytest.raises(StoreError) as caught:
        store_for("broken://one")
    assert caught.value.code == "store.plugin"
    assert installed in caught.value.remedy


def test_a_store_of_a_distribution_that_is_kept_out_is_not_loaded(installed: str) -> None:
    hold_permits(Rules(deny=[installed]))
    with pytest.raises(StoreError) as caught:
        store_for("shelf://one")
    assert caught.value.code == "store.url"
    assert installed in caught.value.remedy


def test_the_default_database_lies_in_the_users_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOW_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "da?ta"))
    assert path_of(default_url()) == str(tmp_path / "da?ta" / "flownodes" / "flow.db")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path_of(default_url()) == str(tmp_path / ".local" / "share" / "flownodes" / "flow.db")
    # The last one is no UTF-8, which no file name needs to be.
    for name in ("home", "ho me#?%41", "hömé", "h\udcff"):
        monkeypatch.setenv("FLOW_HOME", str(tmp_path / name))
        assert path_of(default_url()) == str(tmp_path / name / "flow.db")


def test_the_folder_of_the_default_database_is_made_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOW_HOME", str(tmp_path / "a" / "b"))
    store = store_for(default_url())
    store.open()
    store.close()
    assert (tmp_path / "a" / "b" / "flow.db").is_file()
    with pytest.raises(StoreError) as caught:
        store_for(f"sqlite:///{tmp_path}/c/flow.db").open()
    assert caught.value.code == "store.no_folder"
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("name", ["x" * 300, "a%00b", "x" * 300 + "/flow.db"])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_path_that_cannot_be_looked_at_is_told(tmp_path: Path, name: str, read_only: bool) -> None:
    with pytest.raises(StoreError) as caught:
        store_for(f"sqlite:///{tmp_path}/{name}", read_only=read_only).open()
    assert caught.value.code == "store.unopened"
    assert caught.value.remedy


def test_reading_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        store_for(f"sqlite:///{tmp_path}/flow.db", read_only=True).open()
    assert caught.value.code == "store.missing"
    assert list(tmp_path.iterdir()) == []
