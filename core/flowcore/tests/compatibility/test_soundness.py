"""What is told about two schemas holds for every value: random schemas and values, and a real validator."""

from __future__ import annotations

import random
from typing import Any

import jsonschema_rs
import pytest
from flowcore.compatibility import Fit, compare
from hypothesis import assume, event, given
from hypothesis import strategies as st

from core.flowcore.tests.compatibility.schema_strategies import (
    aimed,
    anything,
    narrow_schemas,
    related_schemas,
    schemas,
)

#: Values tried for each pair of schemas.
VALUES = 60


def validator(schema: Any) -> jsonschema_rs.Draft202012Validator:
    try:
        return jsonschema_rs.Draft202012Validator(schema)
    except jsonschema_rs.ValidationError:
        assume(condition=False)
        raise


def check(source: Any, target: Any, seed: int) -> Fit:
    fit = compare(source, target)
    if fit.answer != "may_fit":
        takes, gives = validator(target), validator(source)
        chance = random.Random(seed)
        for _ in range(VALUES):
            schema = chance.choice((source, source, target))
            value = aimed(schema, schema, chance) if chance.random() < 0.9 else anything(chance)
            if gives.is_valid(value):
                assert takes.is_valid(value) is (fit.answer == "fits"), (value, fit)
    return fit


@given(schemas(), schemas(), st.integers(0, 2**32))
def test_answers_about_any_two_schemas_hold_for_their_values(source: Any, target: Any, seed: int) -> None:
    event(check(source, target, seed).answer)


@given(related_schemas(), st.integers(0, 2**32))
def test_answers_about_schemas_that_are_alike_hold_for_their_values(pair: tuple[Any, Any], seed: int) -> None:
    event(check(*pair, seed).answer)


@given(narrow_schemas(), st.integers(0, 2**32))
def test_answers_about_schemas_of_one_type_hold_for_their_values(pair: tuple[Any, Any], seed: int) -> None:
    event(check(*pair, seed).answer)


def test_an_answer_that_does_not_hold_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = {"type": "number"}, {"type": "integer"}
    check(*pair, seed=1)
    monkeypatch.setattr("flowcore.compatibility.proving.number_gap", lambda mine, theirs: None)
    with pytest.raises(AssertionError):
        check(*pair, seed=1)
