"""Reads the headers to send; what HTTP cannot carry, or could be misread as more than a header, is refused."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Final

from flowruntime.authoring import FatalNodeError

from flownodes_http.settings import BasicAuth, BearerAuth, Scalar
from flownodes_http.texts import pairs

__all__ = ["authorization", "check_name", "has_control", "read_headers"]

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
#: Headers that follow from the body.
_COMPUTED: Final = frozenset({"content-length", "transfer-encoding"})
#: Headers that may stand once only.
_SINGLE: Final = frozenset({"authorization", "content-type", "host"})


def read_headers(given: Mapping[str, Scalar | list[Scalar]]) -> list[tuple[str, str]]:
    """Names as written, and values; repeated ones follow each other. White space around a value is dropped.

    Raises FatalNodeError (`http.headers`), which never shows a value: it may be a secret.
    """
    seen: dict[str, str] = {}
    for name, value in given.items():
        check_name(name)
        if value is None:
            continue
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise FatalNodeError(
                f"The headers {other!r} and {name!r} are the same: upper and lower case do not count.",
                code="http.headers",
                remedy="Leave one of them out, or give both values in an array.",
            )
        if isinstance(value, list) and len(value) > 1 and name.lower() in _SINGLE:
            raise FatalNodeError(
                f"The header {name!r} cannot be repeated.", code="http.headers", remedy="Give one value."
            )
    headers = [(name, value.strip()) for name, value in pairs(given)]
    for name, value in headers:
        if has_control(value):
            raise FatalNodeError(
                f"The header {name!r} has a line break or another control character in its value.",
                code="http.headers",
                remedy="Remove it; headers are single lines.",
            )
    return headers


def check_name(name: str) -> None:
    """Raise FatalNodeError (`http.headers`) for what cannot be the name of a header to send."""
    if not _TOKEN.fullmatch(name):
        raise FatalNodeError(
            f"{name!r} cannot be the name of a header.",
            code="http.headers",
            remedy="Use letters, digits and hyphens.",
        )
    if name.lower() in _COMPUTED:
        raise FatalNodeError(
            f"The header {name!r} cannot be set: it follows from the body.",
            code="http.headers",
            remedy="Leave it out.",
        )


def has_control(text: str) -> bool:
    r"""Whether there is a line break or another control character in it; a tab is none.

    >>> has_control("a\tb"), has_control("a\r\nX-Other: b")
    (False, True)
    """
    return _CONTROL.search(text) is not None


def authorization(auth: BasicAuth | BearerAuth) -> str:
    """The value of the Authorization header. Raises FatalNodeError (`http.headers`)."""
    match auth:
        case BasicAuth(username=username, password=password):
            if ":" in username:
                raise FatalNodeError(
                    "The user name has a colon in it, which basic authentication cannot carry.",
                    code="http.headers",
                    remedy="Check `auth.username`; the part after the colon may be the password.",
                )
            return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        case BearerAuth(token=token):
            text = token.strip()
            if not text or has_control(text):
                raise FatalNodeError(
                    "The token is empty, or has a line break or another control character in it.",
                    code="http.headers",
                    remedy="Correct the secret.",
                )
            return f"Bearer {text}"
