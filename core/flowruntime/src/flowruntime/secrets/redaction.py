"""The net below the wall: masks secrets that somebody revealed where they come back in a text.

A text stays in the net for as long as the runtime runs: a node that took a token at its start may tell it in an error
a week later.
"""

from __future__ import annotations

import re
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any, Final

__all__ = ["MASK", "Net"]

MASK: Final = "***"
#: Shorter texts are not masked: they would be found everywhere.
_SHORTEST: Final = 6
#: Of longer ones the beginning is looked for.
_LONGEST: Final = 4096
#: Of a text with more lines so many are looked for one by one: each costs time in everything that nodes say.
_MOST_LINES: Final = 100
#: So many texts are kept, those that were revealed last.
_KEPT: Final = 256


class Net:
    """The texts that were revealed. Safe from any thread.

    >>> net = Net()
    >>> net.add("hunter2!")
    >>> net.mask("refused: hunter2! (aHVudGVyMiE=, hunter2%21)")
    'refused: *** (***, ***)'
    """

    __slots__ = ("_forms", "_lock", "_texts")

    def __init__(self) -> None:
        #: How each text may be written, the one revealed last at the end. Made when something is masked: most secrets
        #: are revealed and never told.
        self._texts: dict[str, tuple[str, ...] | None] = {}
        #: All of those, the longest first.
        self._forms: tuple[str, ...] | None = None
        self._lock = threading.Lock()

    def add(self, text: str) -> None:
        """Look for this text from now on."""
        if len(text) < _SHORTEST:
            return
        with self._lock:
            if text in self._texts:
                self._texts[text] = self._texts.pop(text)
                return
            self._texts[text] = None
            if len(self._texts) > _KEPT:
                del self._texts[next(iter(self._texts))]
            self._forms = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look for."""
        return not self._texts

    def mask(self, text: str) -> str:
        """The text with the secrets in it masked, also where they stand in base64, as in a URL, or in JSON.

        What may be the beginning of a secret is masked at the end of a text: it may have been cut there.
        """
        for form in self._all_forms():
            if form in text:
                text = text.replace(form, MASK)
        with self._lock:
            secrets = list(self._texts)
        for secret in secrets:
            text = _without_beginning(text, secret)
        return text

    def mask_value(self, value: Any) -> Any:
        """The value with the secrets in its texts masked; the same object when there are none."""
        return value if self.is_empty else _mapped(value, self.mask)

    def _all_forms(self) -> tuple[str, ...]:
        forms = self._forms
        if forms is None:
            with self._lock:
                for text, known in self._texts.items():
                    if known is None:
                        self._texts[text] = tuple(_forms_of(text))
                found = {form for known in self._texts.values() for form in known or ()}
                # The longest first: a secret may be a part of another.
                forms = self._forms = tuple(sorted(found, key=len, reverse=True))
        return forms


def _mapped(value: Any, mask: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        masked = mask(value)
        return value if masked == value else masked
    if isinstance(value, list | tuple):
        items = [_mapped(item, mask) for item in value]
        return value if items == list(value) else items
    if isinstance(value, dict):
        changed = {_mapped(key, mask): _mapped(item, mask) for key, item in value.items()}
        return value if changed == value else changed
    return value


def _forms_of(text: str) -> Iterator[str]:
    """How a secret may stand in a text: all forms that are not too short."""
    # A program may print the lines of a key one by one; those between `-----` are the same in every key.
    lines = [line.strip() for line in text.splitlines() if not line.startswith("-----")]
    lines = [line for line in lines if len(line) >= _SHORTEST][:_MOST_LINES]
    for part in {text, text.strip(), *lines, *_passwords(text)}:
        yield from (form for form in _spellings(part[:_LONGEST]) if len(form) >= _SHORTEST)


def _passwords(text: str) -> Iterator[str]:
    """The password in a URL, as it stands there and as it is: a driver may tell it without the rest."""
    from urllib.parse import unquote, urlsplit

    try:
        password = urlsplit(text.strip()).password if "://" in text else None
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)


def _spellings(text: str) -> Iterator[str]:
    import json
    from html import escape
    from urllib.parse import quote, quote_plus

    yield text
    for plain in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        yield plain
        yield plain.replace("/", "\\/")  # as PHP writes it
        yield plain.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")  # and Go
    yield repr(text)[1:-1]
    data = text.encode(errors="surrogatepass")
    yield repr(data)[2:-1]
    for escaped in (escape(text), escape(text, quote=False)):
        yield escaped
        yield escaped.replace("&#x27;", "&#39;")
    for quoted in (quote(data), quote(data, safe=""), quote_plus(data)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    for encode in (b64encode, urlsafe_b64encode):
        yield encode(data).decode()
        yield encode(data).decode().rstrip("=")
        yield from (_inside(data, before, encode) for before in range(3))


def _inside(data: bytes, before: int, encode: Callable[[bytes], bytes]) -> str:
    r"""The base64 of the data where so many bytes stand before it (modulo 3), without what its neighbours change.

    >>> _inside(b"hunter2!", 1, b64encode) in b64encode(b"me:x:hunter2!\n").decode()
    False
    >>> _inside(b"hunter2!", 2, b64encode) in b64encode(b"me:x:hunter2!\n").decode()
    True
    """
    encoded = encode(bytes(before) + data).decode().rstrip("=")
    first = (before * 8 + 5) // 6
    complete = (before + len(data)) * 8 // 6
    return encoded[first:complete]


def _without_beginning(text: str, secret: str) -> str:
    start = max(len(text) - len(secret) + 1, 0)
    at = text.find(secret[:_SHORTEST], start)
    while at >= 0:
        if secret.startswith(text[at:]):
            return text[:at] + MASK
        at = text.find(secret[:_SHORTEST], at + 1)
    return text
