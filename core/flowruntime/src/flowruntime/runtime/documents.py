"""The forms in which a workflow may be given to a runtime."""

from __future__ import annotations

from typing import Any, TypeAlias

from flowcore.workflows import Workflow

__all__ = ["Document"]

#: A workflow: the JSON text, the parsed JSON, or the immutable object.
Document: TypeAlias = str | bytes | dict[str, Any] | Workflow
