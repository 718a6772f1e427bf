"""Puts the wrappers of plugins around attempts, so that nothing but the attempt itself decides what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from inspect import isasyncgen, iscoroutine
from typing import Any, Final

from flowcore.nodes import NodeType

from flowruntime.authoring import Context
from flowruntime.hooks.plugins import Hooks, named
from flowruntime.secrets import Net

__all__ = ["AttemptWrappers"]

_HOOK: Final = "around_attempt"


class AttemptWrappers:
    """The plugins that wrap attempts. Used from the loop's thread.

    What they raise is told without the secrets in the `net`: they see configs.
    """

    def __init__(self, hooks: Hooks, net: Net) -> None:
        self._hooks = hooks
        self._net = net
        self._callers = {name: hooks.caller(name, _HOOK) for name in hooks.implementing(_HOOK)}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._callers)

    async def run(self, ctx: Context, node_type: NodeType, attempt: Callable[[], Awaitable[Any]]) -> Any:
        """What the attempt gives, or raises; the wrappers are entered in order around it, and left in reverse."""
        entered: list[tuple[str, AbstractAsyncContextManager[object]]] = []
        error: BaseException | None = None
        try:
            for name, caller in list(self._callers.items()):
                manager = await self._enter(name, caller, ctx, node_type)
                if manager is not None:
                    entered.append((name, manager))
            return await attempt()
        except BaseException as raised:
            error = raised
            raise
        finally:
            await self._leave_all(entered, error)

    async def _enter(
        self, name: str, caller: Callable[..., Any], ctx: Context, node_type: NodeType
    ) -> AbstractAsyncContextManager[object] | None:
        managers: list[AbstractAsyncContextManager[object]] = []

        async def enter() -> None:
            given = caller(ctx=ctx, node_type=node_type)
            if given is None:
                return
            if isasyncgen(given):
                given = _as_manager(given)
            if iscoroutine(given):
                given.close()  # or Python would say that nobody awaits it
            if not isinstance(given, AbstractAsyncContextManager):
                cause = f"Its hook {_HOOK!r} gives a {type(given).__name__} for an async context manager."
                self._hooks.report(name, "wrapper", cause, "Its author must put @asynccontextmanager above it.")
                return
            await given.__aenter__()
            managers.append(given)

        await self._guarded(name, enter(), None)
        return managers[0] if managers else None

    async def _leave_all(
        self, entered: list[tuple[str, AbstractAsyncContextManager[object]]], error: BaseException | None
    ) -> None:
        """Leave all wrappers, then raise the cancellation that came from outside meanwhile, if one did."""
        kind, trace = (None, None) if error is None else (type(error), error.__traceback__)
        cancelled: asyncio.CancelledError | None = None
        task = asyncio.current_task()
        for name, manager in reversed(entered):
            asked = 0 if task is None else task.cancelling()

            async def leave(manager: AbstractAsyncContextManager[object] = manager) -> None:
                await manager.__aexit__(kind, error, trace)

            try:
                await self._guarded(name, leave(), error)
            except asyncio.CancelledError as raised:
                cancelled = raised
            if task is not None and task.cancelling() < asked and isinstance(error, asyncio.CancelledError):
                cause = f"Its hook {_HOOK!r} cancels attempts: their nodes fail."
                remedy = "Its author must not yield inside a timeout or a task group."
                self._hooks.report(name, "wrapper", cause, remedy, about="cancelled")
        if error is not None:
            error.__traceback__ = trace  # without the frames of the wrappers
        if cancelled is not None:
            raise cancelled

    async def _guarded(self, name: str, step: Awaitable[object], error: BaseException | None) -> None:
        """Await a step of a wrapper. Raises nothing but a cancellation that comes from outside while it is awaited."""
        task = asyncio.current_task()
        cancels = 0 if task is None else task.cancelling()
        timer = asyncio.timeout(self._hooks.limit_seconds)
        try:
            async with timer:
                await step
        except TimeoutError as raised:
            if timer.expired():
                self._callers.pop(name, None)
                limit = f"it was not done after {self._hooks.limit_seconds:g} s"
                self._hooks.report(name, "hung", f"Its hook {_HOOK!r} hangs: {limit}. It is not used any more.")
            elif raised is not error:
                self._failed(name, raised)
        except asyncio.CancelledError as raised:
            if task is not None and task.cancelling() > cancels:
                raise
            if raised is not error:
                self._failed(name, raised)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as raised:  # noqa: BLE001 - the guard: foreign code may raise anything, SystemExit too
            if raised is not error:
                self._failed(name, raised)

    def _failed(self, name: str, raised: BaseException) -> None:
        message = self._net.mask(f"Its hook {_HOOK!r} raised {named(raised)}.")
        self._hooks.report(name, "call", message, about=_HOOK)


def _as_manager(generator: AsyncGenerator[object, Any]) -> AbstractAsyncContextManager[object]:
    return asynccontextmanager(lambda: generator)()
