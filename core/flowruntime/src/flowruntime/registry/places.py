"""Where the registry's files lie: the cache directory and the settings file.

Part of the warm path: imports nothing that Python has not loaded at its start.
"""

# pathlib would be dear here:
# ruff: noqa: PTH100, PTH109, PTH111, PTH113, PTH117, PTH118, PTH120

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

__all__ = ["SAFE_MODE_VARIABLE", "SETTINGS_FILE", "absolute_path", "cache_directory", "settings_file"]

SETTINGS_FILE = "flow.toml"
#: `1` in this variable of the environment lets nothing load but what belongs to Flownodes itself.
SAFE_MODE_VARIABLE = "FLOW_SAFE_MODE"


def absolute_path(search_path: Iterable[str] | None) -> list[str]:
    """The search path, `sys.path` for None, in the form that means the same in every working directory."""
    folder = _working_directory()
    entries = sys.path if search_path is None else search_path
    # `join` gives an absolute entry as it is; the empty entry is the working directory.
    return [os.path.normpath(os.path.join(folder, entry)) for entry in entries if entry or folder]


def cache_directory() -> str:
    """`FLOW_HOME/cache`, else `flownodes` in the user's cache directory. Need not exist."""
    home = os.environ.get("FLOW_HOME")
    if home:
        return os.path.join(os.path.abspath(home), "cache")
    return os.path.join(_user_directory("XDG_CACHE_HOME", ".cache"), "flownodes")


def settings_file() -> str | None:
    """The `flow.toml` that holds: the nearest from the working directory upwards, else the user's, else None.

    The user's lies in `FLOW_HOME`, else in `flownodes` in the user's config directory.
    """
    folder = _working_directory()
    while folder:
        path = os.path.join(folder, SETTINGS_FILE)
        if os.path.isfile(path):
            return path
        parent = os.path.dirname(folder)
        folder = "" if parent == folder else parent
    home = os.environ.get("FLOW_HOME")
    folder = os.path.abspath(home) if home else os.path.join(_user_directory("XDG_CONFIG_HOME", ".config"), "flownodes")
    path = os.path.join(folder, SETTINGS_FILE)
    return path if os.path.isfile(path) else None


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed under us
        return ""


def _user_directory(variable: str, default: str) -> str:
    folder = os.environ.get(variable, "")
    # The XDG specification: a relative path is invalid and must be ignored.
    return folder if os.path.isabs(folder) else os.path.join(os.path.expanduser("~"), default)
