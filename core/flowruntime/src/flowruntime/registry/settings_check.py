"""Finds out whether what flow.toml says to a pack is what the pack takes, without running one of its nodes.

`python -m flowruntime.registry.settings_check REQUEST`, with REQUEST as JSON: `kinds` (module and class of each),
`namespace`, `path` (where modules are searched first), `file`, `answer` (a file, which gets the error, or null).
"""

from __future__ import annotations

import ast
import functools
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from flowcore.errors import InstallationError, PackError
from flowcore.packs import Pack, PackProblem

from flowruntime.pack_settings import OperatorFile, hold_operator_file, operator_settings
from flowruntime.registry.discovery import locate_package
from flowruntime.registry.inspection import run_program
from flowruntime.registry.places import absolute_path

__all__ = ["check_pack_settings", "main"]


def check_pack_settings(
    pack: Pack, file: str, *, search_path: Sequence[str] | None = None, timeout_seconds: float = 10.0
) -> PackProblem | None:
    """What is wrong with the pack's own table in this flow.toml, None when nothing is.

    What the table may hold is the class that the code gives to `operator_settings`, found by reading the code; it is
    imported in a subprocess, for `timeout_seconds` at most. None too for code that gives something else, which is not
    understood, and for code that cannot be imported, of which `probe_pack` tells.
    """
    try:
        folder = locate_package(pack, search_path)
    except PackError:
        return None
    kinds = sorted(set(_kinds_in(folder, pack)))
    if not kinds:
        return None
    with tempfile.TemporaryDirectory(prefix="flow-settings-") as temporary:
        answer = Path(temporary, "answer.json")
        request = {
            "kinds": kinds,
            "namespace": pack.namespace,
            "path": absolute_path(search_path),
            "file": file,
            "answer": str(answer),
        }
        run_program(__name__, json.dumps(request), timeout_seconds)
        error = json.loads(answer.read_bytes()) if answer.exists() else None
    if error is None:
        return None
    return PackProblem(
        pack=pack.distribution, stage="import", code=error["code"], message=error["message"], remedy=error["remedy"]
    )


def _kinds_in(folder: Path, pack: Pack) -> Iterator[tuple[str, str]]:
    """Module and class of each call `operator_settings("namespace", Class)`."""
    for source in sorted(folder.rglob("*.py")):
        try:
            text = source.read_text(encoding="utf-8")
            tree = ast.parse(text) if operator_settings.__name__ in text else None
        except (OSError, ValueError, SyntaxError):
            continue
        module = ".".join([pack.package, *source.relative_to(folder).with_suffix("").parts]).removesuffix(".__init__")
        for call in ast.walk(tree) if tree is not None else ():
            match call:
                case ast.Call(
                    func=ast.Name(id=name) | ast.Attribute(attr=name),
                    args=[ast.Constant(value=namespace), ast.Name() | ast.Attribute() as kind],
                ) if name == operator_settings.__name__ and namespace == pack.namespace:
                    yield module, ast.unparse(kind)
                case _:
                    pass


def main(request: str) -> None:
    """Answer one request and end the process at once, whatever threads the pack has left."""
    asked = json.loads(request)
    sys.path[:] = [*asked["path"], *(entry for entry in sys.path if entry not in asked["path"])]
    hold_operator_file(OperatorFile(asked["file"]))
    error: Any = None
    for module, name in asked["kinds"]:
        try:
            kind: Any = functools.reduce(getattr, name.split("."), import_module(module))
        except Exception:  # noqa: BLE001, S112 - foreign code may raise anything; this is told elsewhere
            continue
        try:
            operator_settings(asked["namespace"], kind)
        except InstallationError as malformed:
            error = {"code": malformed.code, "message": malformed.message, "remedy": malformed.remedy}
            break
    Path(asked["answer"]).write_text(json.dumps(error), encoding="utf-8")
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
