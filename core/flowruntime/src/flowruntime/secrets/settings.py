"""Where the keys of secrets are: the table `[secrets]` of flow.toml, and the environment.

```toml
[secrets]
key = "file"                       # or "environment" (FLOW_SECRETS_KEY), or "keyring"
key_file = "/etc/flownodes/key"    # absent: secrets.key in FLOW_HOME, else in the user's config directory
```

The environment beats the file: with FLOW_SECRETS_KEY set, that is the key; FLOW_SECRETS_KEY_FILE names another file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from flowcore.errors import InstallationError
from flowcore.values import did_you_mean

from flowruntime.secrets.key_places import KEYS_VARIABLE, KeyEnvironment, KeyFile, KeyPlace, KeyringEntry

__all__ = ["FILE_VARIABLE", "choose_key_place", "default_key_file"]

FILE_VARIABLE: Final = "FLOW_SECRETS_KEY_FILE"
_NAME: Final = "secrets.key"
_KEYS: Final = ("key", "key_file")
_PLACES: Final = ("file", "environment", "keyring")


def choose_key_place(settings: Path | None) -> KeyPlace:
    """Where the keys are, as the environment and this settings file say. Raises InstallationError for a wrong file."""
    table = {} if settings is None else _read(settings)
    if os.environ.get(KEYS_VARIABLE):
        return KeyEnvironment()
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return KeyFile(Path(named).absolute())
    match table.get("key", "file"):
        case "environment":
            return KeyEnvironment()
        case "keyring":
            return KeyringEntry(_users_folder())
        case _:
            chosen = table.get("key_file")
            if settings is None or chosen is None:
                return KeyFile(default_key_file())
            return KeyFile(settings.absolute().parent / Path(chosen).expanduser())


def default_key_file() -> Path:
    """`FLOW_HOME/secrets.key`, else `flownodes/secrets.key` in the user's config directory. Need not exist."""
    home = os.environ.get("FLOW_HOME")
    if home:
        return Path(home).absolute() / _NAME
    return _users_folder() / _NAME


def _users_folder() -> Path:
    config = os.environ.get("XDG_CONFIG_HOME", "")
    # The XDG specification: a relative path is invalid and must be ignored.
    folder = Path(config) if Path(config).is_absolute() else Path.home() / ".config"
    return folder / "flownodes"


def _read(settings: Path) -> dict[str, Any]:
    import tomllib  # dear, and needed only when there is a file

    try:
        table: Any = tomllib.loads(settings.read_text("utf-8-sig")).get("secrets", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _malformed(settings, f"it cannot be read: {error}", "Correct the file.") from None
    if not isinstance(table, dict):
        raise _malformed(settings, "'secrets' must be a table", "Write [secrets] on a line of its own.")
    for key in table:
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS) or f"The keys are {' and '.join(_KEYS)}."
            raise _malformed(settings, f"[secrets] has no key {key!r}", hint)
    if table.get("key", "file") not in _PLACES:
        names = ", ".join(map(repr, _PLACES))
        raise _malformed(settings, f"'key' under [secrets] must be one of {names}", 'Write key = "file".')
    if not isinstance(table.get("key_file", ""), str):
        raise _malformed(settings, "'key_file' under [secrets] must be a path", 'Write key_file = "/path/of/the.key".')
    return table


def _malformed(file: Path, cause: str, remedy: str) -> InstallationError:
    return InstallationError(f"The settings file {file}: {cause}.", code="settings.malformed", remedy=remedy)
