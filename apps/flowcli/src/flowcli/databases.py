"""Words for the default database in the help of commands."""

from __future__ import annotations

from flowcore.errors import StoreError
from flowruntime.stores import default_url

__all__ = ["default_words"]


def default_words() -> str:
    """The URL of the default database as argparse takes it, or why there is none."""
    try:
        return default_url().replace("%", "%%")
    except StoreError:
        return "none: set FLOW_HOME"
