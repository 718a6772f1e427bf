"""`flow secrets …`: sets, lists, removes and re-encrypts the secrets that workflows name."""

from __future__ import annotations

import argparse
import getpass
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from flowcore.contracts import SecretStore
from flowcore.errors import NodeError
from flowcore.events import timestamp_text
from flowcore.values import write_json
from flowruntime.registry import Registry
from flowruntime.runtime import key_place, plugin_secrets
from flowruntime.secrets import EnvironmentSecrets, is_secret_name
from flowruntime.secrets.keeping import SecretKeeper
from flowruntime.stores import MEMORY

from flowcli.databases import default_words, open_database
from flowcli.exit_codes import SUCCESS
from flowcli.parser import Parser
from flowcli.sources import STDIN, read_source
from flowcli.tables import table
from flowcli.terminal import data_width, printable, say, styled, write_data
from flowcli.usage import UsageError

__all__ = ["add_arguments", "run"]

_MAX_BYTES: Final = 64 * 1024
#: A terminal gives no more of a line, and drops the rest without a word.
_TERMINAL_BYTES: Final = 4095
_NAMED: Final = frozenset({"set", "remove"})


def add_arguments(parser: Parser) -> None:
    """Add what `flow secrets` takes."""
    parser.usage = (
        "flow secrets set NAME [--from-file FILE] [--db URL] [--json]\n"
        "       flow secrets list [--db URL] [--json]\n"
        "       flow secrets remove NAME [--db URL] [--json]\n"
        "       flow secrets rotate [--forget-old-keys] [--db URL] [--json]"
    )
    parser.description = (
        "Keeps secrets for workflows, encrypted in the database; a config names one as ${{ secrets.NAME }}.\n"
        "`set` asks for the text on a terminal, else reads it from stdin. It is never an argument: other users of the\n"
        "machine can see those."
    )
    parser.add_argument("task", choices=("set", "list", "remove", "rotate"), metavar="TASK", help="what to do")
    parser.add_argument("words", nargs="*", default=[], metavar="NAME", help="the name: letters, digits and _")
    parser.add_argument("--from-file", metavar="FILE", help="read the text from this file; - is stdin")
    parser.add_argument(
        "--forget-old-keys", action="store_true", default=None, help="forget the keys that other databases may need"
    )
    parser.add_argument("--db", metavar="URL", help=f"the database ({default_words()})")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    _check_usage(arguments)
    tasks: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
        "set": _set,
        "list": _list,
        "remove": _remove,
        "rotate": _rotate,
    }
    answer = tasks[arguments.task](arguments)
    if arguments.json:
        write_data(write_json(answer, indent=2) + "\n")
    return SUCCESS


def _check_usage(arguments: argparse.Namespace) -> None:
    task, words = arguments.task, arguments.words
    if task in _NAMED and len(words) != 1:
        # What else was written is not shown: it may be the secret.
        remedy = f"Write flow secrets {task} NAME"
        remedy += "; the text is asked for, or comes from stdin or --from-file FILE." if task == "set" else "."
        raise UsageError(f"`flow secrets {task}` takes one name.", remedy=remedy)
    if task not in _NAMED and words:
        raise UsageError(f"`flow secrets {task}` takes no names.", remedy=f"Write flow secrets {task}.")
    for option, owner in (("from_file", "set"), ("forget_old_keys", "rotate")):
        if getattr(arguments, option) is not None and task != owner:
            raise UsageError(
                f"`flow secrets {task}` does not take '--{option.replace('_', '-')}'.",
                remedy="`flow secrets --help` shows how it is written.",
            )
    if arguments.db == MEMORY:
        raise UsageError("The database memory: keeps no secrets.", remedy="Name another, or leave --db out.")
    if task == "set" and not is_secret_name(words[0]):
        raise UsageError(
            f"A secret cannot be named {words[0]!r}.",
            code="secret.name",
            remedy="Use letters, digits and _, no digit at the beginning, and at most 128 characters.",
        )


def _set(arguments: argparse.Namespace) -> dict[str, Any]:
    name = arguments.words[0]
    text = _read_text(arguments)
    now_us = time.time_ns() // 1000
    with _store(arguments.db) as store:
        SecretKeeper(store, key_place()).set(name, text, now_us)
    say(f"{name}: set")
    if name in EnvironmentSecrets().names():
        _warn(f"Here the environment's FLOW_SECRET_{name} is what nodes get.")
    return {"name": name, "updated": timestamp_text(now_us)}


def _read_text(arguments: argparse.Namespace) -> str:
    source = arguments.from_file
    if source is None and sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty():
        try:
            text = getpass.getpass(f"{arguments.words[0]}: ", stream=None)
        except EOFError:
            text = ""
        content = text.encode(errors="surrogateescape")
        if len(content) >= _TERMINAL_BYTES or text.startswith("-----BEGIN "):
            raise UsageError(
                "The secret is longer than the one line that a terminal gives.",
                code="secret.too_long",
                remedy="Give it through stdin or --from-file FILE.",
            )
    else:
        content = read_source(STDIN if source is None else source, what="secret", max_bytes=_MAX_BYTES)
    try:
        text = _without_line_end(content.decode())
    except UnicodeDecodeError:
        raise UsageError(
            "The secret is no text in UTF-8.",
            code="secret.not_text",
            remedy="Encode it, for example with base64, and have the workflow's node decode it.",
        ) from None
    if not text:
        raise UsageError("The secret is empty.", code="secret.empty", remedy="Give a text.")
    return text


def _without_line_end(text: str) -> str:
    """The text without the line end of a single line, which `echo` and editors add; several lines are kept as is."""
    line = text.removesuffix("\n").removesuffix("\r")
    return text if "\n" in line else line


def _list(arguments: argparse.Namespace) -> dict[str, Any]:
    found: list[dict[str, Any]] = [{"name": name, "from": "environment"} for name in EnvironmentSecrets().names()]
    for provider in plugin_secrets(Registry.discover()):
        try:
            found += [{"name": name, "from": provider.name} for name in provider.names()]
        except NodeError as error:
            _warn(str(error))
        except Exception as error:  # noqa: BLE001 - a provider is foreign code
            _warn(f"The place of secrets {provider.name!r} raised {type(error).__name__}.")
    with _store(arguments.db, read_only=True) as store:
        found += [
            {
                "name": sealed.name,
                "from": "database",
                "updated": timestamp_text(sealed.updated_us),
                "key_id": sealed.key_id,
            }
            for sealed in store.list()
        ]
    found.sort(key=lambda row: row["name"])  # of the same name the first is what nodes get
    if not arguments.json:
        if found:
            rows = [(row["name"], row["from"], row.get("updated", "")[:19], row.get("key_id", "")) for row in found]
            clean = [[printable(cell) for cell in row] for row in rows]
            write_data(table(("name", "from", "updated", "key"), clean, data_width()))
        else:
            say("There are no secrets here. `flow secrets set NAME` sets one.")
    return {"secrets": found}


def _remove(arguments: argparse.Namespace) -> dict[str, Any]:
    name = arguments.words[0]
    with _store(arguments.db) as store:
        if not SecretKeeper(store, key_place()).remove(name):
            raise UsageError(
                f"The database has no secret {name!r}.",
                code="secret.missing",
                remedy="`flow secrets list` shows those that there are.",
            )
    say(f"{name}: removed")
    return {"name": name, "removed": True}


def _rotate(arguments: argparse.Namespace) -> dict[str, Any]:
    with _store(arguments.db) as store:
        place = key_place()
        key_id, count = SecretKeeper(store, place).rotate(forget=bool(arguments.forget_old_keys))
    say(f"{count} {'secret' if count == 1 else 'secrets'} encrypted anew with the key {key_id}, in {place.where}")
    if not place.is_ours and not count:
        _warn(f"All were encrypted with it before: put a new key before the old one into {place.where}, with a space.")
    return {"key_id": key_id, "encrypted": count}


@contextmanager
def _store(url: str | None, *, read_only: bool = False) -> Iterator[SecretStore]:
    """The secrets of the database, the default one without a URL. Raises StoreError when it cannot be used.

    To read a default database that nobody has made yet is no error: it has none.
    """
    with open_database(url, read_only=read_only, make=not read_only) as store:
        yield store.secrets


def _warn(message: str) -> None:
    say(f"{styled('warning:', 'yellow')} {printable(message)}")
