"""The configs of the pack's node types, field by field."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from flowruntime.authoring import Secret
from msgspec import Meta, Struct

__all__ = ["MAX_BYTES", "MAX_ROWS", "ExecuteConfig", "QueryConfig", "RowsFormat", "TransactionConfig"]

#: How many rows a node gives, when its config does not say it.
MAX_ROWS: Final = 10_000
#: How large they are together at most, 64 MiB: as large as a Blob may be.
MAX_BYTES: Final = 64 * 1024 * 1024

RowsFormat: TypeAlias = Literal["list", "json_lines"]

_ADVICE: Final = "Write :name in the statement, and give the value of that name at the input port 'parameters'."

_Url: TypeAlias = Annotated[
    Secret,
    Meta(
        description="Which database: `sqlite:///relative/path.db`, `sqlite:////absolute/path.db` or "
        "`postgresql://user:password@host:port/database`. One with a password is a secret: `${{ secrets.DB }}`.",
        extra_json_schema={"x-static": True},
    ),
]
_Statement: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        description="One SQL statement. Values have the form `:name` in it and come from `parameters`; expressions "
        "cannot stand in it.",
        extra_json_schema={"x-constant": _ADVICE},
    ),
]
_OneOfMany: TypeAlias = Annotated[str, Meta(min_length=1, extra_json_schema={"x-constant": _ADVICE})]
_PoolSize: TypeAlias = Annotated[
    int,
    Meta(
        ge=1,
        le=100,
        description="How many connections the node keeps at most; further attempts wait for one.",
        extra_json_schema={"x-static": True},
    ),
]
_ConnectTimeout: TypeAlias = Annotated[
    float,
    Meta(gt=0, description="Milliseconds for making a connection.", extra_json_schema={"x-static": True}),
]
_Lock: TypeAlias = Annotated[
    Annotated[float, Meta(gt=0)] | None,
    Meta(
        description="Milliseconds to wait where somebody else has locked something; then the attempt fails. null: 5000 "
        "with SQLite, and what the server says with PostgreSQL.",
        extra_json_schema={"x-static": True},
    ),
]
_MaxRows: TypeAlias = Annotated[int, Meta(ge=1)] | None
_MaxBytes: TypeAlias = Annotated[
    int, Meta(ge=1, le=MAX_BYTES, description="How many bytes the rows may have together; more fail the node.")
]


class QueryConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sql.query` asks, and how much it takes."""

    url: _Url
    statement: _Statement
    max_rows: Annotated[
        _MaxRows,
        Meta(description="How many rows are taken; what happens to more of them says `on_more`. null: all."),
    ] = MAX_ROWS
    on_more: Annotated[
        Literal["fail", "truncate"],
        Meta(description="With more than `max_rows` rows: fail, or give the first ones and say `truncated`."),
    ] = "fail"
    format: Annotated[
        RowsFormat,
        Meta(
            description="What `rows` is. `list`: an array of objects. `json_lines`: a Blob with an object a line, for "
            "results that are better not held in memory; bytes are base64 in it."
        ),
    ] = "list"
    max_bytes: _MaxBytes = MAX_BYTES
    pool_size: _PoolSize = 5
    connect_timeout_ms: _ConnectTimeout = 10_000
    lock_timeout_ms: _Lock = None


class ExecuteConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sql.execute` does, and how much it gives back."""

    url: _Url
    statement: _Statement
    max_rows: Annotated[
        _MaxRows,
        Meta(description="How many rows RETURNING may give; more undo everything and fail the node. null: all."),
    ] = MAX_ROWS
    max_bytes: _MaxBytes = MAX_BYTES
    pool_size: _PoolSize = 5
    connect_timeout_ms: _ConnectTimeout = 10_000
    lock_timeout_ms: _Lock = None


class TransactionConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sql.transaction` does, and how much it gives back."""

    url: _Url
    statements: Annotated[
        list[_OneOfMany],
        Meta(
            min_length=1,
            description="SQL statements, in their order. Values have the form `:name` in them and come from "
            "`parameters`; expressions cannot stand in them.",
        ),
    ]
    max_rows: Annotated[
        _MaxRows,
        Meta(description="How many rows they may give together; more undo everything and fail the node. null: all."),
    ] = MAX_ROWS
    max_bytes: _MaxBytes = MAX_BYTES
    pool_size: _PoolSize = 5
    connect_timeout_ms: _ConnectTimeout = 10_000
    lock_timeout_ms: _Lock = None
