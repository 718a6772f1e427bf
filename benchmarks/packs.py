"""Makes packs as an installer leaves them: a package with a catalog, and the metadata that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["install_packs"]

_VERSION = "1.0.0"


def install_packs(folder: Path, count: int, types_each: int) -> None:
    """Put that many packs into the folder; with it on the search path they are installed."""
    for number in range(count):
        namespace = f"bench{number:02}"
        distribution, package = f"flownodes-{namespace}", f"flownodes_{namespace}"
        code = folder / package
        code.mkdir(parents=True)
        (code / "__init__.py").write_text("")
        types = [_node_type(namespace, package, index) for index in range(types_each)]
        catalog = {"catalog": 1, "namespace": namespace, "types": types}
        (code / "flownodes.json").write_text(json.dumps(catalog, indent=2))
        metadata = folder / f"{package}-{_VERSION}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {_VERSION}\n")
        (metadata / "entry_points.txt").write_text(f"[flownodes]\n{namespace} = {package}\n")
        (metadata / "RECORD").write_text("")


def _node_type(namespace: str, package: str, index: int) -> dict[str, Any]:
    port = {"name": "value", "schema": {"type": "object"}, "required": True}
    return {
        "id": f"{namespace}.action_{index:02}",
        "version": 1,
        "implementation": f"{package}.action_{index:02}:Action",
        "title": f"Action {index}",
        "description": f"Does the action {index} of the service {namespace}, as its interface describes it.",
        "category": "Services",
        "inputs": {"rule": "fixed", "ports": [port]},
        "outputs": {"rule": "fixed", "ports": [{"name": "result", "schema": {"type": "object"}}]},
        "config": {
            "type": "object",
            "properties": {
                "account": {"type": "string", "title": "Account", "description": "Which account to use."},
                "limit": {"type": "integer", "minimum": 1, "default": 100, "title": "Limit"},
                "mode": {"type": "string", "enum": ["fast", "safe"], "default": "safe", "title": "Mode"},
            },
            "required": ["account"],
            "additionalProperties": False,
        },
        "effects": "read",
        "stability": "stable",
    }
