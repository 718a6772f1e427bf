"""The JSON Schema of what `flow catalog` writes, and of the entries in a pack's `flownodes.json`."""

from __future__ import annotations

from typing import Any, Final

from flowcore.packs import CATALOG_VERSION

__all__ = ["catalog_schema"]

_TEXT: Final[dict[str, Any]] = {"type": "string"}
_NAME: Final[dict[str, Any]] = {"type": "string", "minLength": 1}
_FLAG: Final[dict[str, Any]] = {"type": "boolean"}
_SCHEMA: Final[dict[str, Any]] = {"type": ["object", "boolean"], "description": "A JSON Schema 2020-12."}
_NAMES: Final[dict[str, Any]] = {"type": "object", "additionalProperties": _NAME}


def catalog_schema() -> dict[str, Any]:
    """A JSON Schema 2020-12; `$defs/pack_catalog` is that of a `flownodes.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The node types of an installation of Flownodes",
        **_object(
            {
                "catalog": {"const": CATALOG_VERSION, "description": "The form of this file."},
                "packs": {"type": "array", "items": {"$ref": "#/$defs/pack"}},
                "types": {"type": "array", "items": {"$ref": "#/$defs/installed_type"}},
                "problems": {"type": "array", "items": {"$ref": "#/$defs/problem"}},
            }
        ),
        "$defs": {
            "pack_catalog": _object(
                {
                    "catalog": {"const": CATALOG_VERSION},
                    "namespace": _NAME,
                    "types": {"type": "array", "items": {"$ref": "#/$defs/node_type"}},
                }
            ),
            "pack": _object(
                {"distribution": _NAME, "version": _TEXT, "namespace": _NAME, "package": _NAME, "editable": _FLAG}
            ),
            "problem": _object(dict.fromkeys(("pack", "stage", "code", "message", "remedy"), _TEXT)),
            "installed_type": _object(
                {**_node_type(), "pack": {**_NAME, "description": "The distribution that brings it."}},
                required=("id", "version", "implementation", "inputs", "outputs", "config", "effects", "pack"),
            ),
            "node_type": _object(_node_type(), required=("id", "implementation")),
            "ports": _object(
                {
                    "rule": {"enum": ["fixed", "each", "any", "signature"], "default": "fixed"},
                    "ports": {"type": "array", "items": {"$ref": "#/$defs/port"}},
                    "pointer": {**_TEXT, "description": "A JSON Pointer into the config, for `each` and `signature`."},
                    "passthrough": {**_FLAG, "description": "Every input comes out again under its name."},
                },
                required=(),
            ),
            "port": _object(
                {
                    "name": _NAME,
                    "schema": _SCHEMA,
                    "description": _TEXT,
                    "required": _FLAG,
                    "multiple": {**_FLAG, "description": "It takes the list of all live values."},
                    "join": {"enum": ["all", "first"]},
                    "checked": {**_FLAG, "description": "What an attempt gives there is checked against the schema."},
                },
                required=("name",),
            ),
        },
    }


def _node_type() -> dict[str, Any]:
    """The fields of a catalog entry."""
    kinds = ["pure", "read", "write"]
    by_config = _object({"from": _TEXT, "read": {"type": "array"}, "else": {"enum": kinds}}, required=("from", "read"))
    numbers = ("max_attempts", "delay_ms", "backoff_multiplier", "max_delay_ms", "jitter")
    retries = {**{name: {"type": "number"} for name in numbers}, "retry_on_timeout": _FLAG}
    renamed = {"type": _NAME, "below": {"type": "integer", "minimum": 2}, "inputs": _NAMES, "outputs": _NAMES}
    return {
        "id": {"type": "string", "pattern": r"^[^.]+\..+$", "description": "The namespace of the pack, a dot, a name."},
        "version": {"type": "integer", "minimum": 1},
        "implementation": {**_NAME, "description": "Where the code is: `module:name`."},
        "title": _TEXT,
        "description": _TEXT,
        "category": _TEXT,
        "inputs": {"$ref": "#/$defs/ports"},
        "outputs": {"$ref": "#/$defs/ports"},
        "config": {"type": "object", "description": "The JSON Schema of a node's config."},
        "retry_policy": _object(retries, required=()),
        "timeout_ms": {"type": "number", "exclusiveMinimum": 0},
        "effects": {"anyOf": [{"enum": kinds}, by_config]},
        "trigger": {**_FLAG, "description": "It starts workflows."},
        "examples": {"type": "array", "items": {"type": "object"}},
        "stability": {"enum": ["stable", "beta", "experimental", "deprecated"]},
        "deprecation": _object({"since": _TEXT, "removal": _TEXT, "use": _TEXT}, required=("since",)),
        "replaces": {"type": "array", "items": _NAME},
        "migrates": {**_FLAG, "description": "Its code brings older configs up to date."},
        "renamed": {"type": "array", "items": _object(renamed, required=())},
    }


def _object(properties: dict[str, Any], required: tuple[str, ...] | None = None) -> dict[str, Any]:
    """The schema of an object with these fields and no others; by default all of them are required."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }
