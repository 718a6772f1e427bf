"""The forms in which a workflow may be given to a runtime."""

from __future__ import annotations

from typing import Any, TypeAlias

from flowcore.workflows import Workflow

__all__ = ["Document", "name_of"]

#: A workflow: the JSON text, the parsed JSON, or the immutable object.
Document: TypeAlias = str | bytes | dict[str, Any] | Workflow


def name_of(document: Document) -> str | None:
    """The name in the library, when that is given in place of a document; the text of a document begins with `{`.

    >>> name_of("greet"), name_of('{"name": "Greet", "nodes": []}')
    ('greet', None)
    """
    if not isinstance(document, str) or document.lstrip("\ufeff \t\r\n").startswith("{"):
        return None
    return document
