"""The table `[packs]` of flow.toml."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flowcore.errors import InstallationError
from flowruntime.permits import Rules, hold_permits, permits_held
from flowruntime.registry import PackSettings, Registry, read_settings
from flowruntime.registry.places import settings_file


def test_without_a_file_everything_may_load() -> None:
    settings = read_settings()
    assert settings == PackSettings()
    assert settings.permits("anything")


def test_a_file_says_what_may_load() -> None:
    Path("flow.toml").write_text(
        '[packs]\nprefer = {http = "my-http"}\nallow = ["A_pack", "b-pack"]\ndeny = ["B.Pack"]\n[server]\nport = 3000\n'
    )
    settings = read_settings()
    assert settings == PackSettings(prefer={"http": "my-http"}, allow=("A_pack", "b-pack"), deny=("B.Pack",))
    assert [settings.permits(name) for name in ("a-pack", "b_pack", "c-pack")] == [True, False, False]


def test_an_empty_list_of_allowed_packs_allows_none() -> None:
    Path("flow.toml").write_text("[packs]\nallow = []\n")
    assert not read_settings().permits("flownodes-http")


def test_a_file_without_the_table_says_nothing() -> None:
    Path("flow.toml").write_text("[server]\nport = 3000\n")
    assert read_settings() == PackSettings()


def test_the_nearest_file_upwards_holds_then_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = tmp_path / "project" / "deep" / "er"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert settings_file() is None

    xdg = tmp_path / "xdg" / "flownodes" / "flow.toml"
    home = tmp_path / "home" / "flow.toml"
    upwards = tmp_path / "project" / "flow.toml"
    nearest = below / "flow.toml"
    for file in (xdg, home, upwards, nearest):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))

    for file in (nearest, upwards, home):
        assert settings_file() == str(file)
        file.unlink()
    # FLOW_HOME stands in for the user's config directory.
    assert settings_file() is None
    monkeypatch.delenv("FLOW_HOME")
    assert settings_file() == str(xdg)


def test_a_folder_called_flow_toml_is_no_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flow.toml").mkdir()
    monkeypatch.chdir(tmp_path)
    assert settings_file() is None


@pytest.mark.parametrize(
    ("text", "line", "said", "remedy"),
    [
        ("[packs]\nallow = ?", 2, "not TOML", "Correct"),
        ("[packs]\nallow = [\n", 2, "not TOML", "Correct"),
        ("packs = 5", 1, "must be a table", "[packs]"),
        ("\n[packs]\nalow = []", 3, "no key 'alow'", "Did you mean 'allow'"),
        ("\n[packs]\nzzz = 1", 3, "no key 'zzz'", "prefer, allow, deny"),
        ('[packs]\n\nallow = "flownodes-http"', 3, "'allow' must be a list", 'allow = ["'),
        ("[packs]\ndeny = [1]", 2, "'deny' must be a list", 'deny = ["'),
        ("[packs]\nprefer = []", 2, "'prefer' must give", "prefer = {"),
        ("[packs]\n\n[packs.prefer]\nhttp = 5", 3, "'prefer' must give", "prefer = {"),
        ("packs.deny = 5", 1, "'deny' must be a list", 'deny = ["'),
    ],
)
def test_a_malformed_file_is_told_with_line_and_remedy(text: str, line: int, said: str, remedy: str) -> None:
    file = Path("flow.toml")
    file.write_text(text)
    with pytest.raises(InstallationError) as caught:
        read_settings()
    assert caught.value.code == "settings.malformed"
    assert str(file.absolute()) in caught.value.message
    assert f"line {line}" in caught.value.message
    assert said in caught.value.message
    assert remedy in caught.value.remedy


def test_a_file_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "flow.toml").write_bytes(b"[packs]\n# \xff\n")
    with pytest.raises(InstallationError, match=r"line 2: it is not UTF-8"):
        read_settings(tmp_path / "flow.toml")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InstallationError, match="cannot be read"):
        read_settings(tmp_path)


# --- safe mode -----------------------------------------------------------------------------------


def test_in_safe_mode_only_what_belongs_to_flownodes_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "flow.toml"
    file.write_text('[packs]\nsafe_mode = true\ndeny = ["flownodes-shell"]\n')
    settings = read_settings(file)
    assert [settings.permits(name) for name in ("flownodes_http", "flownodes-acme", "flownodes-shell")] == [
        True,
        False,
        False,
    ]
    file.write_text("[packs]\n")
    assert read_settings(file).permits("flownodes-acme")
    # The environment switches it on for one command.
    monkeypatch.setenv("FLOW_SAFE_MODE", "1")
    assert not read_settings(file).permits("flownodes-acme")
    assert not read_settings().permits("flownodes-acme")
    monkeypatch.setenv("FLOW_SAFE_MODE", "0")
    assert read_settings(file).permits("flownodes-acme")


def test_safe_mode_is_true_or_false(tmp_path: Path) -> None:
    file = tmp_path / "flow.toml"
    file.write_text("[packs]\nsafe_mode = 1\n")
    with pytest.raises(InstallationError, match="line 2: 'safe_mode' must be true or false"):
        read_settings(file)


# --- hooks ---------------------------------------------------------------------------------------


@pytest.fixture
def _permits_as_before() -> Iterator[None]:
    before = permits_held()
    yield
    hold_permits(before)


@pytest.mark.usefixtures("_permits_as_before")
@pytest.mark.parametrize("rule", ['deny = ["acme"]', 'allow = ["flownodes-http"]', "safe_mode = true"])
def test_what_the_settings_keep_out_brings_no_hooks_with_a_cold_and_a_warm_cache(rule: str) -> None:
    Registry.discover(search_path=[])
    assert permits_held()("acme")  # the control
    settings = Path("flow.toml")
    settings.write_text(f"[packs]\n{rule}\n")
    for _ in range(2):
        hold_permits(lambda _distribution: True)
        Registry.discover(search_path=[])
        assert not permits_held()("acme")
        assert permits_held()("flownodes-http")
    # Hooks that are loaded stay, as long as the settings say the same.
    assert permits_held() == Rules(**asdict_of(read_settings()))
    settings.unlink()
    Registry.discover(search_path=[])
    assert permits_held()("acme")


@pytest.mark.usefixtures("_permits_as_before")
def test_settings_that_are_given_hold_for_that_registry_alone() -> None:
    hold_permits(Rules())
    Registry.discover(search_path=[], settings=PackSettings(deny=("acme",)))
    assert permits_held()("acme")


def asdict_of(settings: PackSettings) -> dict[str, Any]:
    return {"allow": settings.allow, "deny": settings.deny, "safe_mode": settings.safe_mode}
