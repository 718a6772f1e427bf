"""Which databases a URL may name, and which the operator allows."""

from pathlib import Path

import pytest
from flowcore.errors import FatalNodeError
from flownodes_sql.allowed import require_allowed
from flownodes_sql.execute import Execute
from flownodes_sql.query import Query
from flownodes_sql.urls import read_url
from flowruntime.pack_settings import OperatorFile, hold_operator_file, settings_replaced
from flowruntime.testing import NodeHarness


@pytest.mark.parametrize(
    "url",
    [
        "Zsecret",
        "mysql://ada:Zsecret@host/db",
        "postgresql://ada:Zsecret@host:port/db",
        "postgresql://ada:Zsecret@host/db?host=other",
        "postgresql://ada:x@Zsecret@host/db",
        "postgresql://ada:x@Zsecret/x@host/db",
        "postgresql://ada:x@host/db?Zsecret=y",
        "postgresql://ada:Zsecret@host/db?passfile=/etc/passwd",
        "sqlite:///x.db?mode=Zsecret",
        "sqlite://Zsecret/x.db",
        "sqlite:///file:Zsecret?mode=memory",
    ],
)
async def test_a_wrong_url_is_refused_and_not_shown(node_harness: NodeHarness, url: str) -> None:
    with pytest.raises(FatalNodeError) as raised:
        await node_harness.run(Query, {}, {"url": "${{ secrets.DB }}", "statement": "SELECT 1"}, secrets={"DB": url})
    assert raised.value.code == "sql.url"
    assert "Zsecret" not in str(raised.value)


def test_the_form_that_many_hosts_write_is_read() -> None:
    address = read_url("postgres://ada:x@db.example.com/sales?sslmode=require")
    assert (address.kind, address.host, address.url.drivername) == (
        "postgresql",
        "db.example.com:5432",
        "postgresql+psycopg",
    )


def test_where_workflows_of_others_run_nothing_is_allowed_unless_it_is_said(tmp_path: Path) -> None:
    file = f"{tmp_path}/flow.toml"
    hold_operator_file(OperatorFile(file, serves_others=True, tables={}))
    try:
        for url, line in (
            (f"sqlite:///{tmp_path}/x.db", f'sqlite_folders = ["{tmp_path}"]'),
            ("postgresql://db.example.com/sales", 'postgresql_hosts = ["db.example.com:5432"]'),
        ):
            with pytest.raises(FatalNodeError) as raised:
                require_allowed(read_url(url))
            assert raised.value.code == "sql.not_allowed"
            assert raised.value.remedy == f"To allow it, write under [sql] in {file}: {line}"
        require_allowed(read_url("sqlite://"))
    finally:
        hold_operator_file(OperatorFile(None))


def test_what_the_operator_lists_is_allowed_and_nothing_else(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "link.db").symlink_to(outside / "x.db")
    table = {"sqlite_folders": [str(inside)], "postgresql_hosts": ["db.example.com:6432"]}
    with settings_replaced({"sql": table}):
        require_allowed(read_url(f"sqlite:///{inside}/deep/x.db"))
        require_allowed(read_url("postgresql://DB.example.com:6432/sales"))
        for url in (
            f"sqlite:///{outside}/x.db",
            f"sqlite:///{inside}/../outside/x.db",
            f"sqlite:///{inside}/link.db",
            "postgresql://db.example.com/sales",
            "postgresql:///sales",
        ):
            with pytest.raises(FatalNodeError) as raised:
                require_allowed(read_url(url))
            assert raised.value.code == "sql.not_allowed"
    require_allowed(read_url(f"sqlite:///{outside}/x.db"))  # the control: nothing is listed


@pytest.mark.parametrize("statement", ["ATTACH :file AS other", "VACUUM INTO :file"])
async def test_a_statement_does_not_reach_for_files_outside(
    node_harness: NodeHarness, tmp_path: Path, statement: str
) -> None:
    (tmp_path / "inside").mkdir()
    other = tmp_path / "other.db"
    config = {"url": f"sqlite:///{tmp_path}/inside/x.db", "statement": statement}
    with settings_replaced({"sql": {"sqlite_folders": [str(tmp_path / "inside")]}}), pytest.raises(FatalNodeError):
        await node_harness.run(Execute, {"parameters": {"file": str(other)}}, config)
    assert not other.exists()
