"""Nodes that are careless with secrets in every way that they have; given to `flow run` with --nodes."""

import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

from flowruntime.authoring import Context, Node, RetryableNodeError, Secret, Wait, node
from flowruntime.secrets import Net

if os.environ.get("CANARIES_ARE_FREE"):
    Net.add = lambda self, text: None  # type: ignore[method-assign]


@node(effects="pure")
def blurt(ctx: Context, value: Any = None, *, token: str) -> None:
    """Raise with the token in the text, on a thread, from another exception that has it too."""
    try:
        os.environ[token]
    except KeyError as error:
        raise ValueError(f"not {token!r}: {ctx.secrets['TOKEN'].reveal()}") from error


@node(effects="pure", retry_policy={"max_attempts": 3, "delay_ms": 1, "jitter": 0})
async def insist(ctx: Context, *, token: str) -> int:
    """Fail with the token twice."""
    if ctx.attempt < 3:
        raise RetryableNodeError(f"again {token}", remedy=f"with {token}", details={"token": [token]})
    return ctx.attempt


@node(effects="pure")
async def chat(ctx: Context, *, token: Secret) -> int:
    """Say the token in every event that there is."""
    text = token.reveal()
    ctx.events.info(f"info {text}")
    ctx.events.warning(f"warning {text}")
    ctx.events.progress(50, f"progress {text}")
    ctx.events.stdout_line(f"stdout {text}")
    ctx.events.stderr_line(f"stderr {text}")
    return len(text)


@node(effects="pure")
async def rest(ctx: Context, *, token: str) -> Any:
    """Wait with a state, and with the token as the reason."""
    ctx.state["attempts"] = ctx.state.get("attempts", 0) + 1
    if ctx.woken is None:
        return Wait(until=ctx.now() + timedelta(milliseconds=20), reason=f"until {token} is there")
    ctx.events.info(f"woken with {token}")
    return ctx.state["attempts"]


@node("keeper", effects="pure", inputs=[], outputs=[])
class Keeper(Node):
    """Takes the token once, and fails with it later."""

    token = ""

    async def initialize(self, ctx: Any) -> None:
        """Take it."""
        self.token = ctx.secrets["TOKEN"].reveal()

    async def execute(self, ctx: Context) -> Any:
        """Tell it."""
        raise ValueError(f"kept {self.token}")


@node(effects="write")
def look(value: Any = None, *, home: str, into: str) -> int:
    """Keep what others could see at this moment: all command lines, and the files of the database that is in use."""
    target = Path(into)
    target.mkdir(exist_ok=True)
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    (target / "cmdlines").write_bytes(b"\n".join(lines))
    (target / "environ").write_bytes(Path("/proc/self/environ").read_bytes())
    for path in Path(home).glob("flow.db*"):
        shutil.copy(path, target)
    return len(lines)
