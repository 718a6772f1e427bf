"""What a run is given on the command line beside the workflow: inputs and changed vars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowcore.errors import Problem
from flowcore.values import Value, did_you_mean, kind_of, read_json

from flowcli.errors import InputsInvalid
from flowcli.sources import read_source
from flowcli.usage import UsageError

__all__ = ["read_inputs", "with_vars"]

#: Faults of a text that is no JSON at all: as the value of a var it is just a text.
_NO_JSON = frozenset({"json.syntax", "json.not_a_number"})


def read_inputs(given: str | None) -> dict[str, Value]:
    """The inputs in the argument of --input: JSON, or `@` and the name of a file with it.

    Raises InputsInvalid for what is no JSON object, UsageError for a file that cannot be read.
    """
    if given is None:
        return {}
    text = read_source(given[1:], what="inputs") if given.startswith("@") else given
    parsed = read_json(text)
    if parsed.problems:
        raise InputsInvalid(parsed.problems)
    if not isinstance(parsed.value, dict):
        raise InputsInvalid(
            [
                Problem(
                    code="inputs.type",
                    pointer="",
                    message=f"The inputs must be an object, not {kind_of(parsed.value)}.",
                    remedy="Write --input '{\"name\": value}', or --input @FILE.",
                )
            ]
        )
    return parsed.value


def with_vars(source: bytes, given: Sequence[str]) -> bytes | dict[str, Any]:
    """The workflow document in `source` with changed vars; each is given as `NAME=VALUE`.

    A value is JSON, else a text. A document that cannot be read comes back as it is. Raises UsageError for
    vars that the document does not have and values beyond the limits of JSON.
    """
    if not given:
        return source
    document = read_json(source).value
    if not isinstance(document, dict) or not isinstance(document.get("vars", {}), dict):
        return source
    known: Mapping[str, Value] = document.get("vars", {})
    changed = dict(known)
    for argument in given:
        name, equals, text = argument.partition("=")
        if not equals:
            raise UsageError(f"--var {argument!r} gives no value.", code="var.value", remedy="Write NAME=VALUE.")
        if name not in known:
            names = f"Its vars are: {', '.join(known)}." if known else "It has none under 'vars'."
            remedy = did_you_mean(name, known) or names
            raise UsageError(f"The workflow has no var {name!r}.", code="var.unknown", remedy=remedy)
        changed[name] = _value(name, text)
    return {**document, "vars": changed}


def _value(name: str, text: str) -> Value:
    parsed = read_json(text)
    for problem in parsed.problems:
        if problem.code in _NO_JSON:
            return text
        raise UsageError(
            f"The value of --var {name!r} cannot be used: {problem.message}",
            code=problem.code,
            remedy=problem.remedy,
        )
    return parsed.value
