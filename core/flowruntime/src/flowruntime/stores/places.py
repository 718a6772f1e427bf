"""Where executions are kept when nobody says where."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["default_database"]


def default_database() -> Path:
    """`FLOW_HOME/flow.db`, else `flownodes/flow.db` in the user's data directory. Need not exist."""
    home = os.environ.get("FLOW_HOME")
    if home:
        return Path(home).absolute() / "flow.db"
    data = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification: a relative path is invalid and must be ignored.
    folder = Path(data) if Path(data).is_absolute() else Path.home() / ".local" / "share"
    return folder / "flownodes" / "flow.db"
