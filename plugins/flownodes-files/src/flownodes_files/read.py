"""The node type `files.read`: reads a file as text, as JSON, or as a Blob."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from flowcore.values import read_json
from flowruntime.authoring import MAX_BLOB_BYTES, BlobWriter, Context, FatalNodeError, Port, Value, node
from msgspec import Meta, Struct, field

from flownodes_files.encodings import decode
from flownodes_files.media_types import media_type_of
from flownodes_files.opening import open_to_read
from flownodes_files.roots import Place, allowed_roots
from flownodes_files.saving import stop_if_cancelled

__all__ = ["MAX_TEXT_BYTES", "read"]

#: The size limit of what is read as text or JSON, 16 MiB.
MAX_TEXT_BYTES: Final = 16 * 1024 * 1024
_PART_BYTES: Final = 64 * 1024


class ReadConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The config."""

    form: Annotated[
        Literal["text", "json", "blob"],
        Meta(description="What comes out: the text, the JSON value, or a Blob, which may be of any kind and larger."),
    ] = field(default="text", name="as")
    encoding: Annotated[str, Meta(description="The encoding of texts; JSON is always UTF-8.")] = "utf-8"
    media_type: Annotated[
        str | None, Meta(description="The media type that is given out; null guesses it by the end of the name.")
    ] = None


@node(
    "files.read",
    title="Read File",
    description="Reads a file: a text or JSON of up to 16 MiB, or anything of up to 64 MiB as a Blob.",
    category="Files",
    effects="read",
    inputs=[
        Port(
            name="path",
            schema={"type": "string"},
            required=True,
            description="The file; relative paths begin at the first folder that is allowed.",
        )
    ],
    outputs=[
        Port(name="content", description="What is in it, as `as` says."),
        Port(name="path", schema={"type": "string"}, description="Where it lies, absolute and without links."),
        Port(name="size", schema={"type": "integer"}, description="How many bytes it has."),
        Port(name="media_type", schema={"type": "string"}, description="What kind of file it is, such as text/csv."),
    ],
    config=ReadConfig,
    examples=[
        {"title": "A text", "config": {}, "inputs": {"path": "notes/today.md"}, "needs": "the file"},
        {"title": "JSON", "config": {"as": "json"}, "inputs": {"path": "data/planets.json"}, "needs": "the file"},
        {
            "title": "Outside of what is allowed",
            "config": {"as": "blob"},
            "inputs": {"path": "/proc/self/mem"},
            "error": "files.outside",
        },
    ],
)
def read(path: str, ctx: Context) -> dict[str, Value]:
    """Read the file."""
    config: ReadConfig = ctx.config
    place = allowed_roots().locate(path)
    limit = MAX_BLOB_BYTES if config.form == "blob" else MAX_TEXT_BYTES
    media_type = config.media_type or media_type_of(place.name)
    with open_to_read(place) as (reader, info):
        if info.st_size > limit:
            raise _too_large(place, limit)
        if config.form == "blob":
            with BlobWriter(media_type=media_type) as writer:
                while part := reader.read(_PART_BYTES):
                    stop_if_cancelled(ctx)
                    writer.write(part)
                blob = writer.finish()
            return {"content": blob, "path": place.real, "size": blob.size, "media_type": media_type}
        data = reader.read(limit + 1)
    if len(data) > limit:
        raise _too_large(place, limit)
    content = _json(data, path) if config.form == "json" else decode(data, config.encoding, repr(path))
    return {"content": content, "path": place.real, "size": len(data), "media_type": media_type}


def _json(data: bytes, path: str) -> Value:
    parsed = read_json(data, max_bytes=MAX_TEXT_BYTES)
    if parsed.problems:
        first = parsed.problems[0]
        where = f" at {first.pointer}" if first.pointer else ""
        raise FatalNodeError(
            f"{path!r} is not JSON{where}: {first.message}",
            code="files.json",
            remedy=first.remedy,
            details={"problems": [problem.to_json() for problem in parsed.problems[:10]]},
        )
    return parsed.value


def _too_large(place: Place, limit: int) -> FatalNodeError:
    text = limit == MAX_TEXT_BYTES
    return FatalNodeError(
        f"{place.path!r} is larger than the limit of {limit:,} bytes for {'texts and JSON' if text else 'Blobs'}.",
        code="files.too_large",
        remedy="Read it with `as` blob, or rows of it with files.read_csv or files.read_json_lines."
        if text
        else "Read rows of it with files.read_csv or files.read_json_lines, or let another program split it.",
    )
