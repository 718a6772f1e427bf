"""Finds out, in a subprocess, what is wrong with the hooks of installed distributions.

`python -m flowruntime.registry.hook_probe FILE DISTRIBUTION…` loads theirs and leaves what it found in the file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from flowcore.packs import PackProblem

from flowruntime.expressions.functions.known import collect_functions
from flowruntime.hooks.observing import collect_observers
from flowruntime.hooks.providing import collect_providers
from flowruntime.registry.lookup import Registry
from flowruntime.registry.settings import PackSettings

__all__ = ["main", "probe_hooks"]


def probe_hooks(distributions: Sequence[str], *, timeout_seconds: float = 30.0) -> list[PackProblem]:
    """What is wrong with the hooks of these distributions; none of them is imported by this process.

    Together they are asked first, since two may want the same name; then each by itself, if they did not get far. It
    may take `timeout_seconds` each time.
    """
    if not distributions:
        return []
    answer = _ask(distributions, timeout_seconds)
    if isinstance(answer, list):
        return answer
    found: list[PackProblem] = []
    for name in distributions:
        alone = _ask([name], timeout_seconds)
        if isinstance(alone, list):
            found += alone
            continue
        found.append(
            PackProblem(
                pack=name,
                stage="import",
                code="hooks.died",
                message=f"Loading its hooks {alone}.",
                remedy=f'Remove it, or keep it out: deny = ["{name}"] under [packs] in flow.toml.',
            )
        )
    return found


def _ask(distributions: Sequence[str], timeout_seconds: float) -> list[PackProblem] | str:
    """The problems, or how the subprocess ended without telling any."""
    with tempfile.TemporaryDirectory(prefix="flow-hooks-") as folder:
        answer = Path(folder, "answer.json")
        # -P: the working directory is no place for modules.
        command = [sys.executable, "-P", "-m", "flowruntime.registry.hook_probe", str(answer), *distributions]
        try:
            ended = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
                timeout=timeout_seconds,
            )
        except subprocess.TimeoutExpired:
            return f"took longer than {timeout_seconds:g} s"
        if answer.exists():
            return [PackProblem(**problem) for problem in json.loads(answer.read_bytes())]
        return f"ended the interpreter with status {ended.returncode}"


def main(file: str, distributions: Sequence[str]) -> None:
    """Answer, and end the process at once, whatever threads the hooks have left."""
    registry = Registry.discover(settings=PackSettings(allow=tuple(distributions)))
    found: list[PackProblem] = []
    if (hooks := registry.hooks) is not None:
        registry.type_ids()  # asks for node types
        found = collect_functions(hooks)[1]
        collect_providers(hooks)
        collect_observers(hooks)
    # What is wrong with packs is not asked for here.
    found += [problem for problem in registry.problems if problem.code.startswith("hooks.")]
    problems = [problem.to_json() for problem in found]
    unfinished = Path(f"{file}.unfinished")
    unfinished.write_text(json.dumps(problems), encoding="utf-8")
    unfinished.replace(file)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
