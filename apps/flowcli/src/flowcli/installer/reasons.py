"""Turns what uv and pip say when they fail into a sentence of cause and one of remedy."""

from __future__ import annotations

import re
from typing import Final

from flowcore.errors import InstallationError

from flowcli.installer.tools import ToolFailed

__all__ = ["explain", "reason_of"]

_LONGEST: Final = 500
#: What the tools say beside the reason.
_CHATTER: Final = re.compile(
    r"^\s*(Using |Resolved |Prepared |Looking in |Processing |Collecting |WARNING|warning:|\[notice\]|hint:|Hint:).*$"
    r"|^ERROR: ResolutionImpossible.*$",
    re.MULTILINE,
)
_TRACEBACK: Final = "Traceback (most recent call last)"
_MARKS: Final = re.compile(r"^\s*(error:|ERROR:|cause:|Caused by:|×|╰─▶|├─▶|│)\s*", re.MULTILINE)

#: What a message looks like, the code, and what to do; the first that fits counts.
_KINDS: Final = (
    (
        r"No space left on device|os error 28|Disk quota exceeded",
        "install.disk_full",
        "Make room, then see what is not all there: flow doctor",
    ),
    (
        r"externally.managed",
        "install.managed",
        "Work in a virtual environment: python3 -m venv .venv, and install flownodes there.",
    ),
    (
        r"[Pp]ermission denied|os error 13|Read-only file system",
        "install.unwritable",
        "Use an environment that belongs to you: python3 -m venv .venv",
    ),
    (
        r"[Ff]ailed to build|build backend|build-system|subprocess-exited-with-error|build dependencies",
        "install.build",
        "Build its wheel where its build tools are installed, and install that wheel.",
    ),
    (
        r"was not found in|No matching distribution|not found in the package registry|no version|only the following",
        "install.not_found",
        "Check the name and the version; --offline looks only in the folders of --find-links and in uv's cache.",
    ),
    (
        r"Failed to fetch|error sending request|dns error|Connection|name resolution|timed out|NewConnectionError",
        "install.network",
        "Check the network; or get the wheels elsewhere, and use --offline --find-links FOLDER.",
    ),
    (
        r"No solution|ResolutionImpossible|conflicting|unsatisfiable",
        "install.conflict",
        "Choose other versions; `flow packs` shows what is installed.",
    ),
    (
        r"[Ii]nvalid wheel|[Ff]ailed to (read|unzip|extract)|not a valid|bad zip|zip (file|archive)",
        "install.bad_file",
        "Build or download the wheel anew.",
    ),
)


def reason_of(failed: ToolFailed) -> str:
    """The tool's own reason, in one line: of a proof that something is impossible, the first step."""
    said = _CHATTER.sub("", failed.output)
    if _TRACEBACK in said:  # the tool itself broke: its last line is the error
        said = said.rstrip().rpartition("\n")[2]
    text = " ".join(_MARKS.sub("", said).split())
    text = re.sub(r"^No solution found when resolving dependencies:? ", "", text).partition(" And because ")[0]
    return f"{text[:_LONGEST]}…" if len(text) > _LONGEST else text


def explain(failed: ToolFailed, what: str, tool: str) -> InstallationError:
    """The error that says why something could not be done; `what` begins the sentence."""
    reason = reason_of(failed) or "it does not say why"
    for pattern, code, remedy in _KINDS:
        if re.search(pattern, failed.output):
            return InstallationError(f"{what}: {reason}", code=code, remedy=remedy)
    return InstallationError(
        f"{what}: {reason}", code="install.failed", remedy=f"This is what {tool} says; `flow doctor` looks at the rest."
    )
