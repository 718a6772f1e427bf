"""Base64, digests and identifiers."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING, Final

from flowruntime.authoring.functions import Call, ExpressionFunction, FunctionError

if TYPE_CHECKING:
    from uuid import UUID

__all__ = ["FUNCTIONS"]

#: The last two are broken, and here only because other systems ask for them.
_DIGESTS: Final = ("sha256", "sha512", "sha1", "md5")
_FROM_URL_SAFE: Final = str.maketrans("-_", "+/")
#: As long as that many visits of a part of an expression take.
_STEPS_OF_UUID: Final = 4
#: The namespace (RFC 9562) of the identifiers that `uuid()` makes.
_NAMESPACE: Final = "7d0f3c1e-5a54-4d0e-9a3b-0d8f5f6f6e01"


def _b64encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _encoded_length(text: str) -> int:
    return (len(text.encode()) + 2) // 3 * 4


def _b64decode(text: str) -> str:
    plain = text.strip().rstrip("=").translate(_FROM_URL_SAFE)
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
    except UnicodeDecodeError:
        raise FunctionError("gives bytes that are no UTF-8 text", "Only texts can be decoded here.") from None
    except ValueError:  # binascii.Error, or letters beyond ASCII
        raise FunctionError("cannot read argument 1: it is no Base64", "Check what comes in.") from None


def _hash(text: str, algorithm: str = "sha256") -> str:
    if algorithm not in _DIGESTS:
        raise FunctionError("does not know the algorithm in argument 2", f"Write one of {', '.join(_DIGESTS)}.")
    return hashlib.new(algorithm, text.encode(), usedforsecurity=False).hexdigest()


def _uuid(call: Call) -> str:
    from uuid import uuid5

    return str(uuid5(_namespace(), f"{call.moment.key}\n{call.place}"))


@cache
def _namespace() -> UUID:
    from uuid import UUID

    return UUID(_NAMESPACE)


FUNCTIONS: Final = (
    ExpressionFunction(
        name="b64encode",
        function=_b64encode,
        arguments=(("string",),),
        size=_encoded_length,
        description="The UTF-8 bytes of a text as Base64.",
    ),
    ExpressionFunction(
        name="b64decode",
        function=_b64decode,
        arguments=(("string",),),
        description="The text in Base64 of its UTF-8 bytes; the alphabet of URLs and a missing padding are read too.",
    ),
    ExpressionFunction(
        name="hash",
        function=_hash,
        arguments=(("string",), ("string",)),
        optional=1,
        description="The digest of a text's UTF-8 bytes in hex: 'sha256' (the default), 'sha512', 'sha1' or 'md5'.",
    ),
    ExpressionFunction(
        name="uuid",
        function=_uuid,
        takes_call=True,
        steps=lambda: _STEPS_OF_UUID,
        description="An identifier, another one in each place, and the same in each attempt of a node.",
    ),
)
