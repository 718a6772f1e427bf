"""Where executions are kept when nobody says where."""

from __future__ import annotations

import os
from pathlib import Path

from flowcore.errors import StoreError

__all__ = ["default_database"]


def default_database() -> Path:
    """`FLOW_HOME/flow.db`, else `flownodes/flow.db` in the user's data directory. Need not exist.

    Raises StoreError for a user without a home directory.
    """
    home = os.environ.get("FLOW_HOME")
    if home:
        return Path(home).absolute() / "flow.db"
    data = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification: a relative path is invalid and must be ignored.
    if Path(data).is_absolute():
        return Path(data) / "flownodes" / "flow.db"
    try:
        return Path.home() / ".local" / "share" / "flownodes" / "flow.db"
    except RuntimeError:
        raise StoreError(
            "This user has no home directory in which a database could lie.",
            code="store.no_home",
            remedy="Set FLOW_HOME to a folder, or name a database with --db.",
        ) from None
