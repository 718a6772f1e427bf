"""A pack reads the table of its namespace in flow.toml, and nothing that is not understood is obeyed."""

from pathlib import Path

import pytest
from flowcore.errors import InstallationError
from flowruntime.authoring import Context, node, operator_settings
from flowruntime.pack_settings import OperatorFile, hold_operator_file, settings_replaced
from flowruntime.runtime import Runtime
from flowruntime.testing import NodeHarness
from msgspec import Struct


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[acme]`."""

    limit: int = 3
    names: list[str] = []


@node("acme.limit", effects="pure")
def limit(ctx: Context) -> int:
    """The limit of the operator."""
    return operator_settings("acme", Settings).values.limit


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The flow.toml that holds here, not written yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOW_HOME", str(tmp_path / "home"))
    return tmp_path / "flow.toml"


def test_a_runtime_says_which_file_holds_and_for_whom(file: Path) -> None:
    file.write_text("[acme]\nlimit = 5\n")
    Runtime()
    found = operator_settings("acme", Settings)
    assert (found.values, found.file, found.folder) == (Settings(limit=5), str(file), str(file.parent))
    assert (found.serves_others, found.where) == (False, str(file))
    Runtime(net="public")
    assert operator_settings("acme", Settings).serves_others


def test_without_a_file_or_a_table_the_defaults_hold(file: Path) -> None:
    hold_operator_file(OperatorFile(None))
    found = operator_settings("acme", Settings)
    assert (found.values, found.file, found.folder) == (Settings(), None, str(file.parent))
    assert found.where == "flow.toml"
    file.write_text("[packs]\n")
    hold_operator_file(OperatorFile(str(file)))
    assert operator_settings("acme", Settings).values == Settings()


def test_what_is_written_later_does_not_count(file: Path) -> None:
    file.write_text("[acme]\nlimit = 5\n")
    hold_operator_file(OperatorFile(str(file)))
    assert operator_settings("acme", Settings).values.limit == 5
    file.write_text("[acme]\nlimit = 6\n")
    assert operator_settings("acme", Settings).values.limit == 5
    hold_operator_file(OperatorFile(str(file)))
    assert operator_settings("acme", Settings).values.limit == 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[acme]\nlimit = 'many'\n", "[acme] does not fit: Expected `int`, got `str` - at `$.limit`"),
        ("[acme]\nlimits = 3\n", "[acme] does not fit: Object contains unknown field `limits`"),
        ("acme = 3\n", "[acme] does not fit: Expected `object`, got `int`"),
        ("[acme\n", "it cannot be read"),
    ],
)
def test_what_does_not_fit_is_told_with_the_file(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    hold_operator_file(OperatorFile(str(file)))
    with pytest.raises(InstallationError) as raised:
        operator_settings("acme", Settings)
    assert raised.value.code == "settings.malformed"
    assert raised.value.message.startswith(f"The settings file {file}: {said}")


@pytest.mark.parametrize("table", ["packs", "secrets"])
def test_the_tables_of_flownodes_are_not_given_to_packs(table: str) -> None:
    with pytest.raises(ValueError, match="a table of Flownodes itself"):
        operator_settings(table, dict)


@pytest.fixture
def five(file: Path) -> None:
    """A flow.toml with the limit 5."""
    file.write_text("[acme]\nlimit = 5\n")


async def test_a_test_of_a_node_gives_settings_of_its_own(node_harness: NodeHarness, five: None) -> None:
    assert (await node_harness.run(limit, settings={"limit": 7})).outputs == {"result": 7}
    assert (await node_harness.run(limit, settings={})).outputs == {"result": 3}
    assert (await node_harness.run(limit)).outputs == {"result": 5}


def test_replaced_settings_hold_as_long_as_the_block(file: Path) -> None:
    hold_operator_file(OperatorFile(None))
    with settings_replaced({"acme": {"limit": 9}}):
        assert operator_settings("acme", Settings).values.limit == 9
    assert operator_settings("acme", Settings).values.limit == 3
