"""The node type `transform.json_parse`: turns a JSON text into the value it says."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypedDict

import anyio.to_thread
from flowcore.errors import Problem
from flowcore.values import ParsedJson, kind_of, read_json
from flowruntime.authoring import Blob, FatalNodeError, Json, node

__all__ = ["json_parse"]

#: The size limit, that of a Blob: 64 MiB.
_MAX_BYTES: Final = 64 * 1024 * 1024
#: Parsing takes about 60 ms a MiB: a larger text would hold the loop up.
_INLINE_BYTES: Final = 1024 * 1024
_EXCERPT: Final = 80
_MOST_PROBLEMS: Final = 20


class Parsed(TypedDict):
    """The outputs."""

    parsed: Annotated[Json, "The value that the text says."]


@node(
    "transform.json_parse",
    title="Parse JSON",
    description="Turns a JSON text into the value it says. Strict: duplicate keys, NaN, integers beyond 64 "
    "bit and nesting deeper than 64 are errors that name their place.",
    category="Transform",
    effects="pure",
    examples=[
        {
            "title": "An object",
            "config": {},
            "inputs": {"json": '{"name": "Ada", "tags": ["a", "b"]}'},
            "outputs": {"parsed": {"name": "Ada", "tags": ["a", "b"]}},
        }
    ],
)
async def json_parse(
    json: Annotated[Any, "JSON text, as a string or a Blob; 64 MiB at most."],
) -> Parsed:
    """Parse the text. Raises FatalNodeError (`json.…`) when it is no JSON, or JSON no longer."""
    if not isinstance(json, str | Blob):
        raise FatalNodeError(
            f"The input 'json' is {kind_of(json)}, not a JSON text: it is parsed already.",
            code="json.already_parsed",
            remedy="Connect the value directly to what needs it, without this node.",
        )
    large = (json.size if isinstance(json, Blob) else len(json)) > _INLINE_BYTES
    parsed = await anyio.to_thread.run_sync(_read, json, abandon_on_cancel=True) if large else _read(json)
    if parsed.problems:
        raise _failure(json, parsed.problems)
    return {"parsed": parsed.value}


def _read(source: str | Blob) -> ParsedJson:
    return read_json(source.read() if isinstance(source, Blob) else source, max_bytes=_MAX_BYTES)


def _failure(source: str | Blob, problems: tuple[Problem, ...]) -> FatalNodeError:
    first = problems[0]
    excerpt = _excerpt(source)
    place = f" at {first.pointer}" if first.pointer else ""
    message, remedy = f"The text is not good JSON{place}: {first.message}", first.remedy
    match first.code:
        case "json.syntax" if not excerpt.strip():
            message, remedy = "The text is empty, which is not JSON.", "Look at what gave it."
        case "json.syntax":
            message = f"{first.message.rstrip('.')}; the text begins with {excerpt!r}."
            if excerpt.lstrip().startswith("<"):
                remedy = "This is a web page or XML: check the URL, or ask for JSON with an Accept header."
        case "json.too_large":
            message = f"The text is larger than the limit of {_MAX_BYTES / 1048576:g} MiB."
            remedy = "Ask for less at a time."
        case _:
            pass
    return FatalNodeError(
        message,
        code=first.code,
        remedy=remedy,
        details={
            "excerpt": excerpt,
            "problems": [problem.to_json() for problem in problems[:_MOST_PROBLEMS]],
        },
    )


def _excerpt(source: str | Blob) -> str:
    if isinstance(source, str):
        return source[:_EXCERPT]
    with source.open() as reader:
        return reader.read(4 * _EXCERPT).decode(errors="replace")[:_EXCERPT]
