"""Reads the body of a response: text as text, everything else as a Blob."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Final

import anyio
import httpx
from flowruntime.authoring import Blob, BlobWriter, FatalNodeError

from flownodes_http.charsets import charset_of, decode_text
from flownodes_http.decoding import decoded
from flownodes_http.settings import ResponseFormat

__all__ = ["EXCERPT_BYTES", "read_body", "read_excerpt"]

#: How much of an error's body goes into its details, 64 KiB.
EXCERPT_BYTES: Final = 64 * 1024

_TEXT: Final = re.compile(
    r"text/.*|.*\+(json|xml|yaml)|application/(json|jsonl|x-ndjson|xml|xml-dtd|yaml|x-yaml|javascript|"
    r"x-javascript|x-www-form-urlencoded|graphql|sql|toml)"
)


async def read_body(
    response: httpx.Response, response_format: ResponseFormat, *, max_bytes: int, warn: Callable[[str], None]
) -> str | Blob:
    """The whole body. With the format `auto` it is text when the media type says so, else a Blob.

    Without a media type it is text when it reads as UTF-8; an empty body is the empty text. Raises
    FatalNodeError (`http.too_large`, `http.compression`, `http.encoding`), BlobStorageError and httpx.HTTPError.
    """
    content_type, media_type = _type_of(response)
    if response_format == "text" or (response_format == "auto" and _TEXT.fullmatch(media_type) is not None):
        text = bytearray()
        async for part in decoded(response, max_bytes):
            text += part
        return decode_text(text, charset_of(content_type), warn)
    checker = codecs.getincrementaldecoder("utf-8")()
    may_be_text = response_format == "auto" and not media_type
    with BlobWriter(media_type=media_type or "application/octet-stream", max_bytes=max_bytes) as writer:
        async for part in decoded(response, max_bytes):
            writer.write(part)
            may_be_text = may_be_text and _goes_on(checker, part, final=False)
        blob = writer.finish()
    if response_format == "auto" and not blob.size:
        return ""
    if may_be_text and _goes_on(checker, b"", final=True):
        return decode_text(blob.read(), None, warn)
    return blob


async def read_excerpt(response: httpx.Response, *, seconds: float) -> str | None:
    """The first 64 KiB of the body as text, or what of it comes in time; None when it is something else.

    The rest stays unread.
    """
    content_type, media_type = _type_of(response)
    if media_type and _TEXT.fullmatch(media_type) is None:
        return None
    found = bytearray()
    whole = False
    with anyio.move_on_after(seconds):
        try:
            async for part in decoded(response, max_bytes=None):
                found += part
                if len(found) > EXCERPT_BYTES:
                    break
            else:
                whole = True
        except (FatalNodeError, httpx.HTTPError):
            pass  # the status is the news; what there is of the body has to do
    return decode_text(found[:EXCERPT_BYTES], charset_of(content_type), _keep_quiet, whole=whole)


def _type_of(response: httpx.Response) -> tuple[str, str]:
    """The Content-Type, and the media type in it; of several headers the last one counts, as in browsers."""
    content_type: str = (response.headers.get_list("content-type") or [""])[-1]
    return content_type, content_type.partition(";")[0].strip().lower()


def _goes_on(checker: codecs.IncrementalDecoder, part: bytes, *, final: bool) -> bool:
    try:
        checker.decode(part, final)
    except UnicodeDecodeError:
        return False
    return True


def _keep_quiet(message: str) -> None:
    """An excerpt that is half wrong needs no warning."""
