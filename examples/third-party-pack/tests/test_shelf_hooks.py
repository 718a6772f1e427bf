"""The plugin of the pack."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flowcore.events import ExecutionId, WorkflowCompleted
from flownodes_shelf import hooks


def test_secrets_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hooks.secret_providers() == []
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "TOKEN").write_text("s3cret\n")
    (tmp_path / "outside").write_text("not meant")
    monkeypatch.setenv("SHELF_SECRETS", str(folder))
    (provider,) = hooks.secret_providers()
    assert [provider.get(name) for name in ("../outside", str(tmp_path / "outside"), ".", "")] == [None] * 4
    assert (provider.get("TOKEN"), provider.get("OTHER"), provider.names()) == ("s3cret", None, ["TOKEN"])


@pytest.mark.parametrize(("limit_ms", "warnings"), [("0", 1), ("60000", 0)])
async def test_slow_attempts_are_warned_of(
    limit_ms: str, warnings: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "flownodes_shelf")
    monkeypatch.setenv("SHELF_SLOW_MS", limit_ms)
    ctx: Any = SimpleNamespace(node_id="find")
    async with hooks.around_attempt(ctx, SimpleNamespace(id="shelf.find")):  # type: ignore[arg-type]
        pass
    assert len(caplog.records) == warnings


def test_ends_are_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hooks.observers() == []
    monkeypatch.setenv("SHELF_LEDGER", str(tmp_path / "ledger"))
    (ledger,) = hooks.observers()
    ledger.observe(ExecutionId("x"), [WorkflowCompleted(1, 0, "succeeded", {}, None, 0.0)])
    assert (tmp_path / "ledger").read_text() == "x succeeded\n"
