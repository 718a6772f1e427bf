"""Which packs may load: the table `[packs]` of flow.toml.

```toml
[packs]
prefer = {http = "my-http-pack"}    # which distribution gets a namespace that two claim
allow = ["flownodes-http", "acme"]  # only these load; absent: all do
deny = ["flownodes-shell"]          # these never load
safe_mode = true                    # only what belongs to Flownodes itself loads
```

`FLOW_SAFE_MODE=1` in the environment switches the safe mode on for one command.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowcore.errors import InstallationError
from flowcore.values import did_you_mean

from flowruntime.permits import Rules, normalized
from flowruntime.registry.places import SAFE_MODE_VARIABLE, settings_file

__all__ = ["PackSettings", "normalized", "read_settings"]

_KEYS = ("prefer", "allow", "deny", "safe_mode")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackSettings:
    """What the operator says about packs. Distributions are compared by their normalised names."""

    #: Namespace → the distribution that gets it when several claim it.
    prefer: Mapping[str, str] = field(default_factory=dict)
    #: The only distributions that load; None allows all.
    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    #: Nothing loads but what belongs to Flownodes itself.
    safe_mode: bool = False

    @property
    def rules(self) -> Rules:
        """Which distributions may load, without what is said about namespaces."""
        return Rules(allow=self.allow, deny=self.deny, safe_mode=self.safe_mode)

    def permits(self, distribution: str) -> bool:
        """Whether the distribution may load.

        >>> PackSettings(allow=("flownodes-http",)).permits("Flownodes.HTTP")
        True
        """
        return self.rules(distribution)


def read_settings(file: Path | None = None) -> PackSettings:
    """The settings in this file, or in the `flow.toml` that holds here; the defaults when there is none.

    The environment's FLOW_SAFE_MODE=1 switches the safe mode on.

    Raises InstallationError for a file that is not TOML or says something else than it may under `[packs]`.
    """
    safe_mode = os.environ.get(SAFE_MODE_VARIABLE) == "1"
    if file is None:
        found = settings_file()
        if found is None:
            return PackSettings(safe_mode=safe_mode)
        file = Path(found)
    import tomllib  # dear, and needed only when there is a file

    text = _text_of(file)
    try:
        table = tomllib.loads(text).get("packs", {})
    except tomllib.TOMLDecodeError as error:
        # Python tells the line, except for what is missing at the end.
        line = len(text.splitlines()) if "end of document" in str(error) else None
        raise _malformed(file, line, f"it is not TOML: {error}.", "Correct the file there.") from None

    def wrong(key: str, cause: str, remedy: str) -> InstallationError:
        return _malformed(file, _line_of(text, key), cause, remedy)

    if not isinstance(table, dict):
        raise wrong("packs", "'packs' must be a table.", "Write [packs] on a line of its own.")
    for key in table:
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS) or f"The keys are {', '.join(_KEYS)}."
            raise wrong(key, f"[packs] has no key {key!r}.", hint)
    prefer = table.get("prefer", {})
    if not isinstance(prefer, dict) or not all(isinstance(name, str) for name in prefer.values()):
        raise wrong("prefer", "'prefer' must give a distribution for each namespace.", _write("prefer"))
    lists: dict[str, tuple[str, ...] | None] = {}
    for key in ("allow", "deny"):
        names: Any = table.get(key)
        if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise wrong(key, f"{key!r} must be a list of distributions.", _write(key))
        lists[key] = None if names is None else tuple(names)
    safe = table.get("safe_mode", False)
    if not isinstance(safe, bool):
        raise wrong("safe_mode", "'safe_mode' must be true or false.", "Write safe_mode = true.")
    return PackSettings(prefer=prefer, allow=lists["allow"], deny=lists["deny"] or (), safe_mode=safe or safe_mode)


def _write(key: str) -> str:
    return 'Write prefer = {http = "flownodes-http"}.' if key == "prefer" else f'Write {key} = ["flownodes-http"].'


def _text_of(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise _malformed(file, None, f"it cannot be read: {error.strerror}.", "Make it readable.") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _malformed(file, line, "it is not UTF-8.", "Save the file with UTF-8 encoding.") from None


def _line_of(text: str, key: str) -> int | None:
    """The first line that sets the key or opens a table of that name: tomllib tells no places."""
    names_it = re.compile(rf"""^\s*(\[\s*)?([\w-]+\s*\.\s*)*["']?{re.escape(key)}["']?\s*[].=]""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if names_it.match(line)), None)


def _malformed(file: Path, line: int | None, cause: str, remedy: str) -> InstallationError:
    place = f"{file}, line {line}" if line is not None else str(file)
    return InstallationError(f"The settings file {place}: {cause}", code="settings.malformed", remedy=remedy)
