"""The node type `debug.log`: says what comes in as an event."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal, TypedDict

from flowruntime.authoring import Blob, Context, Value, node

__all__ = ["log"]

_MOST_CHARACTERS: Final = 10_000


class Logged(TypedDict):
    """The outputs."""

    message: Annotated[Value, "What came in, unchanged."]


@node(
    "debug.log",
    title="Log",
    description="Says what comes in as an event, `DEBUG: …`, and hands it on. Texts are said as they are, "
    "all else as compact JSON, 10,000 characters at most.",
    category="Debug",
    effects="pure",
    examples=[
        {
            "title": "With a label",
            "config": {"label": "user"},
            "inputs": {"message": {"name": "Ada"}},
            "outputs": {"message": {"name": "Ada"}},
        }
    ],
)
def log(
    message: Annotated[Any, "What to say: any value."],
    ctx: Context,
    *,
    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        "The word before the message; warnings and errors are Warning events, the others Info events.",
    ] = "debug",
    label: Annotated[str, "A word of one's own between level and message."] = "",
) -> Logged:
    """Emit the event."""
    say = ctx.events.warning if level in ("warning", "error") else ctx.events.info
    say(f"{level.upper()}: {f'{label}: ' if label else ''}{_text(message)}")
    return {"message": message}


def _text(value: Value) -> str:
    """The value as text, written no further than it is shown."""
    parts = [value] if isinstance(value, str) else _WRITER.iterencode(value)
    text = ""
    for part in parts:
        text += part
        if len(text) > _MOST_CHARACTERS:
            return f"{text[:_MOST_CHARACTERS]}… (cut after {_MOST_CHARACTERS:,} characters)"
    return text


_WRITER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=Blob.to_json)
