"""Runs the `migrate` of a pack: whatever it does, the caller gets a config or one kind of error."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from flowcore.errors import PackError
from flowcore.nodes import NodeType
from flowcore.values import NotAValue, Value, check_value, thaw

from flowruntime.authoring import Definition
from flowruntime.limited import QUIET

__all__ = ["run_migrate"]

_LIMIT_SECONDS: Final = 10.0
_LONGEST_REASON: Final = 500


def run_migrate(
    definition: Definition,
    config: Mapping[str, Value],
    from_version: int,
    node_type: NodeType,
    *,
    limit_seconds: float = _LIMIT_SECONDS,
) -> dict[str, Value]:
    """The config as the type's newest version wants it; whether its schema allows it is for others to check.

    `migrate` gets a copy of the config and runs on a thread of its own, which is abandoned when time is up. What it
    prints goes to stderr. Raises PackError when it raises, takes longer than `limit_seconds`, or gives no config.
    """
    migrate = definition.migrate
    if migrate is None:
        _refuse(node_type, "missing", "is said to have a migrate by its catalog, and has none")
    given: dict[str, Any] = thaw(config)
    results: list[Any] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(migrate(given, from_version))
        except BaseException as error:  # noqa: BLE001 - the border to the code of a pack: SystemExit too
            errors.append(error)

    # Daemonic: a migrate that hangs must not keep the process from ending.
    thread = threading.Thread(target=call, name=f"migrate {node_type.id}", daemon=True)
    with QUIET:
        thread.start()
        thread.join(limit_seconds)
    if errors:
        _refuse(node_type, "raised", f"failed to migrate a config of version {from_version}: {_reason(errors[0])}")
    if not results:
        _refuse(node_type, "hung", f"took longer than {limit_seconds:g} s to migrate a config")
    result = results[0]
    if not isinstance(result, Mapping):
        _refuse(node_type, "no_config", f"gave a {type(result).__name__} for a migrated config, not an object")
    made = dict(result)
    try:
        check_value(made)
    except NotAValue as error:
        place = f" at {error.pointer}" if error.pointer else ""
        _refuse(node_type, "no_config", f"gave no JSON for a migrated config: {error}{place}")
    return made


def _refuse(node_type: NodeType, kind: str, what: str) -> NoReturn:
    raise PackError(
        f"The type {node_type.id!r}, version {node_type.version}, of the pack {node_type.namespace!r} {what}.",
        pack=node_type.namespace,
        code=f"migrate.{kind}",
        remedy=f"Update the pack {node_type.namespace!r}, or write the config for version {node_type.version} by hand.",
    )


def _reason(error: BaseException) -> str:
    # A reason is one line; the innermost place is what the author of the pack can correct.
    told = " ".join(traceback.format_exception_only(error)[-1].split())[:_LONGEST_REASON]
    frames = traceback.extract_tb(error.__traceback__)[1:]
    return f"{told} ({frames[-1].filename}, line {frames[-1].lineno})" if frames else told
