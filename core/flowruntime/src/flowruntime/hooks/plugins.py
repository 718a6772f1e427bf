"""The plugins of a process, each under a guard of its own: whatever one does, the others are asked.

pluggy alone would let one plugin that raises keep the others out: each is loaded, registered and called by itself, and
what goes wrong becomes a record.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import pluggy
from flowcore.packs import PackProblem

from flowruntime.hooks import specs
from flowruntime.hooks.points import PluginPoint
from flowruntime.limited import QUIET, TookTooLong, run_limited

__all__ = ["HOOK_SECONDS", "Hooks", "named"]

T = TypeVar("T")

#: How long the import of a plugin, and each of its hooks, may take.
HOOK_SECONDS: Final = 10.0
#: Of the text of what a plugin raises.
_MAX_TEXT: Final = 1000

_log = logging.getLogger("flowruntime")


class Hooks:
    """The plugins that were loaded, each under the name of its distribution, and what went wrong with the others.

    Importing them may take `limit_seconds` each, and each call of a hook. May be used from several threads.
    """

    def __init__(self, points: Iterable[PluginPoint] = (), *, limit_seconds: float = HOOK_SECONDS) -> None:
        self.limit_seconds = limit_seconds
        #: What is wrong with plugins; more may come as long as they are used.
        self.problems: list[PackProblem] = []
        #: The entry point of each plugin that was loaded, by its name.
        self.points: dict[str, PluginPoint] = {}
        self._told: set[tuple[str, str]] = set()
        self._manager = pluggy.PluginManager(specs.PROJECT)
        self._manager.add_hookspecs(specs)
        self._hooks = frozenset(name for name in specs.__all__ if self._manager.parse_hookspec_opts(specs, name))
        for point in points:
            self._add(point)

    def implementing(self, hook: str) -> list[str]:
        """The names of the plugins that have this hook, in order."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        having = {implementation.plugin_name for implementation in caller.get_hookimpls()}
        return [name for name in self.points if name in having]

    def caller(self, name: str, hook: str) -> Callable[..., Any]:
        """What calls this hook of this plugin alone, unguarded, with the parameters that it wants."""
        others = [plugin for other, plugin in self._manager.list_name_plugin() if other != name]
        caller = self._manager.subset_hook_caller(hook, others)

        def call(**arguments: Any) -> Any:
            answers = caller(**arguments)
            return answers[0] if answers else None  # pluggy takes None for no answer

        return call

    def call(self, hook: str, *, is_private: bool = False) -> list[tuple[str, Any]]:
        """What each plugin gives for a hook without parameters, with the plugin's name. Never raises.

        Of what a hook raises that `is_private` the record has no text.
        """
        answers: list[tuple[str, Any]] = []
        for name in self.implementing(hook):
            given = self.guarded(name, f"Its hook {hook!r}", self.caller(name, hook), is_private=is_private)
            if given is not None:
                answers.append((name, given))
        return answers

    def each(self, hook: str, *, is_private: bool = False) -> list[tuple[str, Any]]:
        """The elements of the lists that plugins give for a hook, each with the plugin's name, as `call` does."""
        found: list[tuple[str, Any]] = []
        for name, given in self.call(hook, is_private=is_private):
            listed = functools.partial(_listed, given)
            items = self.guarded(name, f"Its hook {hook!r}", listed, is_private=is_private)
            found += [(name, item) for item in items or ()]
        return found

    def guarded(self, name: str, what: str, action: Callable[[], T], *, is_private: bool = False) -> T | None:
        """What an action of a plugin gives; None, and a record, when it raises or hangs. `what` begins its sentence."""
        try:
            return self._run(action)
        except KeyboardInterrupt:
            raise
        except TookTooLong as error:
            self.record(name, "hung", f"{what} hangs: {error}.")
        except BaseException as error:  # noqa: BLE001 - the guard: foreign code may raise anything, SystemExit too
            self.record(name, "call", f"{what} raised {type(error).__name__ if is_private else named(error)}.")
        return None

    def record(self, name: str, fault: str, message: str, remedy: str = "") -> None:
        """Keep what is wrong with a plugin."""
        distribution = self.points[name].distribution if name in self.points else name
        remedy = remedy or f"Update {distribution}, or report this to its author."
        self.problems.append(
            PackProblem(pack=name, stage="import", code=f"hooks.{fault}", message=message, remedy=remedy)
        )

    def report(self, name: str, fault: str, message: str, remedy: str = "", *, about: str = "") -> None:
        """Keep what is wrong with a plugin while it is used, and log it; of one fault `about` one thing only once."""
        if (name, fault + about) in self._told:
            return
        self._told.add((name, fault + about))
        self.record(name, fault, message, remedy)
        _log.warning("%s", self.problems[-1])

    def _add(self, point: PluginPoint) -> None:
        """Load a plugin and register it. What it raises is recorded."""
        name = point.distribution
        if any(known.distribution == name for known in self.points.values()):
            name = f"{point.distribution}:{point.name}"
        try:
            plugin = self._run(functools.partial(_load, point))
        except KeyboardInterrupt:
            raise
        except TookTooLong as error:
            self.record(name, "hung", f"The import of its hooks hangs: {error}.", f"Update {name}, or remove it.")
            return
        except BaseException as error:  # noqa: BLE001 - the guard: foreign code may raise anything, SystemExit too
            cause = f"Its hooks cannot be imported: {named(error)}."
            self.record(name, "import", cause, f"Reinstall {name}, or what it needs.")
            return
        try:
            self._run(functools.partial(self._register, plugin, name))
        except KeyboardInterrupt:
            raise
        except TookTooLong as error:  # its attributes are looked at
            self.record(name, "hung", f"Looking for its hooks hangs: {error}.", f"Update {name}, or remove it.")
        except BaseException as error:  # noqa: BLE001 - also what attributes of the plugin raise when they are looked at
            self.record(name, "register", f"Its hooks do not fit: {_text_of(error)}.", f"Update {name}.")
        else:
            self.points[name] = point

    def _register(self, plugin: object, name: str) -> None:
        for attribute in dir(plugin):
            options = self._manager.parse_hookimpl_opts(plugin, attribute)
            if options is None:
                continue
            hook = options["specname"] or attribute
            if options["wrapper"] or options["hookwrapper"]:
                # It would have nothing to wrap: each plugin is asked by itself.
                msg = f"{attribute!r} is to wrap what other plugins give for {hook!r}, which hooks here do not do"
                raise TypeError(msg)
            if hook not in self._hooks and not options["optionalhook"]:
                cause = f"It implements the hook {hook!r}, which this version of Flownodes does not have."
                self.record(name, "unknown", cause, f"The hooks are: {', '.join(sorted(self._hooks))}.")
        self._manager.register(plugin, name=name)

    def _run(self, action: Callable[[], T]) -> T:
        with QUIET:
            return run_limited(action, limit_seconds=self.limit_seconds)


def named(error: BaseException) -> str:
    """The kind of exception and its text, without a full stop, whatever the class of a stranger makes of that."""
    return f"{type(error).__name__}: {_text_of(error)}"


def _text_of(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an author's class may do anything
        return "its text could not be made"
    return text.removesuffix(".") if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"


def _load(point: PluginPoint) -> object:
    module, _, attribute = point.value.partition(":")
    found: object = importlib.import_module(module.strip())
    return functools.reduce(getattr, filter(None, attribute.strip().split(".")), found)


def _listed(given: Any) -> list[Any]:
    """The elements of what should be a list; a single thing counts as one."""
    return list(given) if isinstance(given, list | tuple | set | frozenset) or hasattr(given, "__next__") else [given]
