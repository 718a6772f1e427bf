"""The runtime: the one object through which Python programs check, run, watch and cancel workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowruntime.journal import Following, HistoryGap
    from flowruntime.runtime.documents import Document
    from flowruntime.runtime.files import Embedded, embed_files
    from flowruntime.runtime.library import Added, WorkflowLibrary
    from flowruntime.runtime.reviewing import Reviewed
    from flowruntime.runtime.runtime import Runtime
    from flowruntime.runtime.secret_places import key_place, plugin_secrets

__all__ = [
    "Added",
    "Document",
    "Embedded",
    "Following",
    "HistoryGap",
    "Reviewed",
    "Runtime",
    "WorkflowLibrary",
    "embed_files",
    "key_place",
    "plugin_secrets",
]

#: Which module has what: who only reads files does not load the engine.
_MODULES = {
    "Added": "flowruntime.runtime.library",
    "Document": "flowruntime.runtime.documents",
    "Embedded": "flowruntime.runtime.files",
    "Following": "flowruntime.journal",
    "HistoryGap": "flowruntime.journal",
    "Reviewed": "flowruntime.runtime.reviewing",
    "Runtime": "flowruntime.runtime.runtime",
    "WorkflowLibrary": "flowruntime.runtime.library",
    "embed_files": "flowruntime.runtime.files",
    "key_place": "flowruntime.runtime.secret_places",
    "plugin_secrets": "flowruntime.runtime.secret_places",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)
