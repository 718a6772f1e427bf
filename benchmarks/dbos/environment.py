"""The environment that DBOS is installed in: made once, kept in the cache directory, no part of the project."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from flowruntime.registry.places import cache_directory

__all__ = ["VERSION", "DbosMissingError", "dbos_python"]

#: Fixed, so that figures of different days can be compared.
VERSION = "3.4.0"
_SECONDS = 120
_REASON_LENGTH = 120


class DbosMissingError(Exception):
    """DBOS is not there to compare with; the message is the reason, short enough for a cell of the table."""


def dbos_python() -> Path:
    """The interpreter that can import DBOS.

    The first call installs it from the package index, into `benchmarks` below the cache directory.
    Raises DbosMissingError when it cannot be installed.
    """
    kept = Path(cache_directory(), "benchmarks", f"dbos-{VERSION}-python-{platform.python_version()}")
    if not _python_in(kept).exists():
        try:
            _make(kept)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DbosMissingError(_short(f"DBOS could not be installed: {error}")) from error
        except subprocess.CalledProcessError as error:
            raise DbosMissingError(_short(f"DBOS could not be installed: {_cause(error.stderr)}")) from error
    return _python_in(kept)


def _make(kept: Path) -> None:
    """Under another name until it is complete: whoever is interrupted leaves nothing half done."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        made = Path(folder, "venv")
        _uv("venv", "--python", sys.executable, str(made))
        _uv("pip", "install", "--python", str(_python_in(made)), f"dbos=={VERSION}")
        shutil.rmtree(kept, ignore_errors=True)  # its interpreter is gone
        made.rename(kept)


def _uv(*words: str) -> None:
    beside = Path(sys.executable).with_name("uv")
    program = str(beside) if beside.exists() else shutil.which("uv")
    if program is None:
        raise FileNotFoundError("there is no uv to install it with")
    subprocess.run(
        [program, "--quiet", *words],
        # Elsewhere: the project's own settings and pins are none of its business.
        cwd=tempfile.gettempdir(),
        env={"UV_HTTP_RETRIES": "1", **os.environ},
        check=True,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )


def _python_in(environment: Path) -> Path:
    return environment / "bin" / "python"


def _cause(said: str) -> str:
    """The innermost of the causes that uv names, each on a line of its own."""
    lines = said.strip().splitlines() or ["uv does not say why"]
    causes = [line for line in lines if line.lstrip().startswith("cause:")]
    return (causes or lines)[-1].partition(": ")[2] or lines[-1]


def _short(reason: str) -> str:
    return textwrap.shorten(reason, _REASON_LENGTH, placeholder=" …")
