"""Tries plugins in a subprocess, before this process imports them: what would end it, or hold it up, is found there.

`python -m flowruntime.registry.hook_trial REQUEST`, with REQUEST as JSON: `points`, `path` (where modules are searched
first), `answer` (the file), `limit_seconds`. The file gets a line with its number before each plugin is tried, at the
end `done`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from flowcore.packs import PackProblem

from flowruntime.hooks import HOOK_SECONDS, Hooks, PluginPoint, points_of
from flowruntime.registry.inspection import run_program

__all__ = ["main", "try_plugins"]

_DONE: Final = "done"
#: Imported, asked for node types, asked for functions.
_STEPS: Final = 3


def try_plugins(
    points: Sequence[PluginPoint], *, search_path: Sequence[str], limit_seconds: float = HOOK_SECONDS
) -> dict[PluginPoint, PackProblem]:
    """The plugins that must not be loaded, each with what is wrong with it: an interpreter does not survive it.

    They are imported and asked for node types and functions, as lists and checks do, in one subprocess, and in another
    one after each that fails. Each step may take `limit_seconds`. What they raise is no matter: that harms nobody.
    """
    waiting, failed = list(points), {}
    while waiting:
        reached, ended = _try(waiting, search_path, limit_seconds)
        if reached is None:
            break
        failed[waiting[reached]] = _problem(waiting[reached], ended, limit_seconds)
        waiting = waiting[reached + 1 :]
    return failed


def _try(points: Sequence[PluginPoint], search_path: Sequence[str], limit_seconds: float) -> tuple[int | None, int]:
    """The number of the plugin that a subprocess did not survive, None when it did; with its exit status."""
    with tempfile.TemporaryDirectory(prefix="flow-trial-") as folder:
        answer = Path(folder, "answer")
        request = {
            "points": points,
            "path": list(search_path),
            "answer": str(answer),
            "limit_seconds": limit_seconds,
        }
        try:
            status = run_program(__name__, json.dumps(request), limit_seconds * (_STEPS * len(points) + 1))
            lines = answer.read_text(encoding="ascii").split()
        except OSError:  # there is no room for a process, or it did not get as far as the first
            return None, 0
    if not lines or lines[-1] == _DONE:
        return None, 0
    return int(lines[-1]), -signal.SIGALRM if status is None else status


def _problem(point: PluginPoint, status: int, limit_seconds: float) -> PackProblem:
    if status == -signal.SIGALRM:
        code, cause = "hooks.hung", f"takes longer than {limit_seconds:g} s"
    else:
        ended = f"exit status {status}" if status >= 0 else f"signal {-status}"
        code, cause = "hooks.died", f"ends the interpreter with {ended}"
    return PackProblem(
        pack=point.distribution,
        stage="import",
        code=code,
        message=f"Loading its hooks {cause}; they are left out.",
        remedy=f'Update or remove it, or keep it out: deny = ["{point.distribution}"] under [packs] in flow.toml.',
    )


def main(request: str) -> None:
    """Try them one after the other, and end the process at once, whatever threads they have left."""
    from flowruntime.expressions.functions.known import collect_functions
    from flowruntime.registry.dynamic import make_types

    asked = json.loads(request)
    limit_seconds = asked["limit_seconds"]
    sys.path[:] = [*asked["path"], *(entry for entry in sys.path if entry not in asked["path"])]
    with Path(asked["answer"]).open("w", encoding="ascii") as answer:
        for number, point in enumerate(points_of(asked["points"])):
            answer.write(f"{number}\n")
            answer.flush()
            # The alarm ends the process, also when the plugin blocks every thread.
            signal.setitimer(signal.ITIMER_REAL, limit_seconds)
            hooks = Hooks((point,), limit_seconds=2 * limit_seconds)
            signal.setitimer(signal.ITIMER_REAL, limit_seconds)
            make_types(hooks, lambda _type_id: False)
            signal.setitimer(signal.ITIMER_REAL, limit_seconds)
            collect_functions(hooks)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answer.write(_DONE)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
