"""The JSON Schema of workflow documents: what can be said about one without knowing node types, for other tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flowcore.documents.graph import MAX_CONNECTIONS, MAX_NODES
from flowcore.executions import FINAL_STATUSES
from flowcore.policies import DEFAULT_RETRY_POLICY
from flowcore.values import BLOB_KEY, TAGS
from flowcore.workflows import AFTER, DONE, ERROR, Settings

__all__ = ["document_schema"]

_Schema = dict[str, Any]

_SETTINGS: Final = Settings()


def document_schema() -> dict[str, Any]:
    """A new JSON Schema 2020-12 that every valid document keeps to.

    What such a schema cannot say is for `read_workflow` to find: ids that are there twice, connections to nodes that
    do not exist, whole numbers written as 1.0, depth and size.

    >>> sorted(document_schema()["required"])
    ['name', 'nodes']
    """
    schema = _object(
        "A workflow: nodes, and connections between their ports.",
        {
            "id": _or_null(_name("The id. Without one, the name in lower case, words joined by hyphens.")),
            "name": _name("The name, for people."),
            "description": _or_null(_text("What the workflow is for.")),
            "inputs": _inputs(),
            "vars": _values("Values that expressions read as `vars.NAME`.", nullable=True),
            "nodes": _array("node", "The nodes.", minItems=1, maxItems=MAX_NODES),
            "connections": _array("connection", "The wires between ports, in order.", maxItems=MAX_CONNECTIONS),
            "triggers": _array("trigger", "What starts the workflow."),
            "outputs": _values(
                "What the workflow gives. Without it, the outputs of the nodes that nothing follows.", nullable=True
            ),
            "settings": {"$ref": "#/$defs/settings"},
        },
        required=["name", "nodes"],
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Flownodes workflow",
        **schema,
        "$defs": {
            "node": _node(),
            "connection": _connection(),
            "trigger": _trigger(),
            "settings": _settings(),
            "retry_policy": _retry_policy(),
            "value": _value(),
            "blob": _blob(),
            "config_value": _config_value(),
            "tagged": _tagged(),
        },
    }


# --- the parts of a document ---------------------------------------------------------------------------


def _node() -> _Schema:
    axis = {"type": "number"}
    cache = {"ttl_ms": _or_null(_number("For how many milliseconds a result is reused; null: for ever."))}
    return _object(
        "One node.",
        {
            "id": _name("The id, by which connections and expressions name the node."),
            "node_type": _name("The node type, as in `http.request`."),
            "type_version": _or_null(
                _integer("The version of the type it was saved with. Null: the newest.", minimum=1)
            ),
            "name": _or_null(_text("The name, for people.")),
            "description": _or_null(_text("What the node is for.")),
            "config": {
                "description": "The config, by the schema of the node type; texts may hold `${{ expressions }}`.",
                "type": "object",
                "propertyNames": {"not": {"const": BLOB_KEY}},
                "additionalProperties": {"$ref": "#/$defs/config_value"},
                "default": {},
            },
            "inputs": _values(
                "Fixed values of input ports; texts may hold `${{ expressions }}`.",
                forbidden=[BLOB_KEY, AFTER, DONE, ERROR],
                default={},
            ),
            "position": _or_null(
                _object("Where an editor shows the node.", {"x": axis, "y": axis}, required=["x", "y"])
            ),
            "retry_policy": _or_null({"$ref": "#/$defs/retry_policy"}),
            "timeout_ms": _or_null(_number("The time of one attempt. Null: the type's, else 300000.", minimum=1)),
            "on_error": _choice(
                ["stop", "continue", "route", None],
                "What a failure does after the last attempt. Null: what the settings say.",
            ),
            "disabled": _flag("Skip the node.", default=False),
            "effects": _choice(["pure", "read", "write", None], "What the node does to the world. Null: the type's."),
            "delivery": _choice(
                ["at_least_once", "at_most_once"],
                "Whether an attempt that was interrupted is repeated, or parked until somebody answers.",
                default="at_least_once",
            ),
            "placement": _or_null(_name("The tag of the workers that may run the node.")),
            "cache": _or_null(_object("Reuse earlier results.", cache, extensions=False)),
        },
        required=["id", "node_type"],
    )


def _connection() -> _Schema:
    return _object(
        "A wire from an output port to an input port.",
        {
            "from_node": _name("The id of the node it comes from."),
            "from_port": _name("The output port; `done` and `error` are every node's.", forbidden=[AFTER]),
            "to_node": _name("The id of the node it leads to."),
            "to_port": _name("The input port; `after` is every node's.", forbidden=[DONE, ERROR]),
        },
        required=["from_node", "from_port", "to_node", "to_port"],
    )


def _trigger() -> _Schema:
    kinds = [
        _kind("Node", "A trigger node of this workflow.", {"node": _name("The id of the node.")}, ["node"]),
        _kind("Manual", "By hand.", {}),
        _kind(
            "Cron",
            "At the times of a cron expression.",
            {
                "expression": _name("Minute, hour, day, month, weekday."),
                "timezone": _or_null(_name("An IANA time zone.")),
                "misfire": _or_null(_name("What becomes of times that were missed.")),
            },
            ["expression"],
        ),
        _kind(
            "Webhook",
            "By a request over HTTP.",
            {
                "path": _name("The end of the URL."),
                "method": _or_null(_name("The only method that is taken.")),
                "methods": _or_null(
                    {"type": "array", "items": {"type": "string"}, "description": "The methods taken."}
                ),
                "auth": _choice(["standard", "hmac", "bearer", "none", None], "How a request proves where it is from."),
                "public": _or_null(_flag("Whether the URL has no secret part.")),
            },
            ["path"],
        ),
        _kind(
            "Event",
            "When another workflow ends.",
            {
                "event_type": _choice(["WorkflowCompleted"], "The event."),
                "workflow": _name("The id of the other workflow."),
                "status": _or_null(
                    {"type": "array", "items": {"enum": sorted(FINAL_STATUSES)}, "description": "The ends that count."}
                ),
            },
            ["event_type", "workflow"],
        ),
    ]
    return _object(
        "Something that starts the workflow.",
        {
            "id": _name("The id."),
            "trigger_type": {"description": "What starts it.", "type": "object", "oneOf": kinds},
            "enabled": _flag("Whether it does.", default=True),
        },
        required=["id", "trigger_type"],
    )


def _kind(name: str, description: str, properties: Mapping[str, Any], required: Sequence[str] = ()) -> _Schema:
    return _object(description, {"type": {"const": name}, **properties}, required=["type", *required])


def _settings() -> _Schema:
    retry = _object(
        "Start again from the inputs.",
        {"max_attempts": _integer("How often in all.", minimum=1, default=3)},
        extensions=False,
    )
    again = _object("Run the whole workflow again.", {"RetryWorkflow": retry}, ["RetryWorkflow"], extensions=False)
    return _object(
        "How the whole workflow runs.",
        {
            "max_execution_time_ms": _or_null(
                _number("The active time of an execution. Null: the operator's limit.", minimum=1)
            ),
            "max_parallel_nodes": {
                **_or_null(_integer("How many nodes run at the same time. Null: no limit.", minimum=1)),
                "default": _SETTINGS.max_parallel_nodes,
            },
            "on_error": {
                "description": "What a failure does where the node says nothing.",
                "anyOf": [{"enum": ["StopWorkflow", "ContinueOnError"]}, again],
                "default": "StopWorkflow",
            },
            "on_error_workflow": _or_null(_name("The workflow that is started when this one fails.")),
            "concurrency": _or_null(_integer("How many executions run at the same time.", minimum=1)),
            "priority": _or_null(_integer("Higher comes first.")),
            "placement": _or_null(_name("The tag of the workers that may run it.")),
        },
    )


def _retry_policy() -> _Schema:
    default = DEFAULT_RETRY_POLICY
    fields = {
        "max_attempts": (_integer("How many attempts in all.", minimum=1), default.max_attempts),
        "delay_ms": (_number("The delay after the first failure."), default.delay_ms),
        "backoff_multiplier": (_number("What each further delay grows by.", minimum=1), default.backoff_multiplier),
        "max_delay_ms": (_number("The longest delay."), default.max_delay_ms),
        "jitter": (_number("The part of the delay that is random.", maximum=1), default.jitter),
        "retry_on_timeout": (_flag("Whether a timeout is tried again."), default.retry_on_timeout),
    }
    return _object(
        "How often and after which delays a failed attempt is made again. Absent fields: the node type's.",
        {name: {**_or_null(schema), "default": value} for name, (schema, value) in fields.items()},
        extensions=False,
    )


def _inputs() -> _Schema:
    return {
        "description": "The JSON Schema 2020-12 of the execution inputs. Absent: any object.",
        "anyOf": [
            {"type": ["boolean", "null"]},
            {
                "allOf": [{"$ref": "#/$defs/value"}],
                "type": "object",
                "properties": {"type": {"const": "object"}, "properties": {"type": "object"}},
                "propertyNames": {"not": {"const": BLOB_KEY}},
            },
        ],
        "default": None,
    }


# --- values --------------------------------------------------------------------------------------------


def _value() -> _Schema:
    return {
        "description": "Any JSON; the key $blob is for references to Blobs.",
        "if": {"type": "object", "required": [BLOB_KEY]},
        "then": {"$ref": "#/$defs/blob"},
        "else": {"additionalProperties": {"$ref": "#/$defs/value"}, "items": {"$ref": "#/$defs/value"}},
    }


def _blob() -> _Schema:
    named = _object(
        "A Blob by the hash of its content.",
        {
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "media_type": {"type": "string"},
            "size": {"type": "integer", "minimum": 0},
        },
        ["sha256", "media_type", "size"],
        extensions=False,
    )
    return _object("A reference to a Blob.", {BLOB_KEY: named}, [BLOB_KEY], extensions=False)


def _config_value() -> _Schema:
    looks_tagged = {
        "type": "object",
        "properties": {"type": {"enum": list(TAGS)}, "value": True},
        "additionalProperties": False,
        "required": ["type"],
        "anyOf": [{"required": ["value"]}, {"properties": {"type": {"const": "Null"}}}],
    }
    return {
        "description": "A value, plain or tagged.",
        "if": looks_tagged,
        "then": {"$ref": "#/$defs/tagged"},
        "else": {"$ref": "#/$defs/value"},
    }


def _tagged() -> _Schema:
    inner = {"$ref": "#/$defs/tagged"}
    base64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
    byte = {"type": "integer", "minimum": 0, "maximum": 255}
    contents: dict[str, _Schema] = {
        "String": {"type": "string"},
        "Number": {"type": "number"},
        "Bool": {"type": "boolean"},
        "Null": {"type": "null"},
        "Array": {"type": "array", "items": inner},
        "Object": {"type": "object", "additionalProperties": inner},
        "Json": {"$ref": "#/$defs/value"},
        "Bytes": {
            "anyOf": [
                {"type": "string", "contentEncoding": "base64", "pattern": base64},
                {"type": "array", "items": byte},
            ]
        },
    }
    forms = []
    for tag in TAGS:
        required = ["type"] if tag == "Null" else ["type", "value"]
        form = {"type": {"const": tag}, "value": contents[tag]}
        forms.append({"properties": form, "required": required, "additionalProperties": False})
    return {
        "description": "A value with its type beside it, as other tools write it.",
        "type": "object",
        "oneOf": forms,
    }


# --- the words of the schema ---------------------------------------------------------------------------


def _object(
    description: str,
    properties: Mapping[str, Any],
    required: Sequence[str] = (),
    *,
    extensions: bool = True,
) -> _Schema:
    """A closed object; `x-…` fields are kept where there may be any."""
    made: _Schema = {
        "description": description,
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
    }
    if required:
        made["required"] = list(required)
    if extensions:
        made["patternProperties"] = {"^x-": {"$ref": "#/$defs/value"}}
    return made


def _or_null(schema: _Schema) -> _Schema:
    """The schema, or null, which is the default."""
    if "type" in schema and isinstance(schema["type"], str):
        return {**schema, "type": [schema["type"], "null"], "default": None}
    return {"anyOf": [schema, {"type": "null"}], "default": None}


def _text(description: str) -> _Schema:
    return {"description": description, "type": "string"}


def _name(description: str, *, forbidden: Sequence[str] = ()) -> _Schema:
    schema = {**_text(description), "minLength": 1, "pattern": r"\S"}
    return {**schema, "not": {"enum": list(forbidden)}} if forbidden else schema


def _flag(description: str, **more: Any) -> _Schema:
    return {"description": description, "type": "boolean", **more}


def _integer(description: str, **more: Any) -> _Schema:
    return {"description": description, "type": "integer", **more}


def _number(description: str, *, minimum: float = 0, **more: Any) -> _Schema:
    return {"description": description, "type": "number", "minimum": minimum, **more}


def _choice(choices: Sequence[str | None], description: str, **more: Any) -> _Schema:
    schema: _Schema = {"description": description, "enum": list(choices), **more}
    return {**schema, "default": None} if None in choices else schema


def _array(part: str, description: str, **more: Any) -> _Schema:
    schema = {"description": description, "type": "array", "items": {"$ref": f"#/$defs/{part}"}, **more}
    return schema if part == "node" else {**schema, "default": []}


def _values(
    description: str, *, nullable: bool = False, forbidden: Sequence[str] = (BLOB_KEY,), **more: Any
) -> _Schema:
    schema = {
        "description": description,
        "type": "object",
        "propertyNames": {"not": {"enum": list(forbidden)}},
        "additionalProperties": {"$ref": "#/$defs/value"},
        **more,
    }
    return _or_null(schema) if nullable else schema
