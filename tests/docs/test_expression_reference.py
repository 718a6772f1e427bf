"""Checks the page of expressions against the functions that there are, and evaluates its examples."""

import json
import re

import pytest
from flowruntime.expressions.functions import known_functions
from flowruntime.expressions.limits import LIMITS
from flowruntime.expressions.once import evaluate_once
from flowruntime.expressions.templates import MAX_EXPRESSION_CHARS
from jmespath.functions import Functions

from tests.architecture.source_tree import ROOT
from tests.docs.documents import blocks_of, section_of

PAGE = ROOT / "docs" / "expressions.md"
EXAMPLES = [line for block in blocks_of(PAGE) if block.language == "jmespath" for line in block.text.splitlines()]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_gives_what_the_page_says(example: str) -> None:
    text, _, value = example.rpartition(" → ")
    assert evaluate_once(text, {}) == json.loads(value)


def test_every_function_is_described_and_no_other() -> None:
    section = section_of(PAGE, "Functions")
    table = "\n".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    described = set(re.findall(r"`(\w+)\(", table))
    assert described == known_functions().keys() - Functions.FUNCTION_TABLE.keys()
    assert all(f"`{name}`" in section for name in Functions.FUNCTION_TABLE)


def test_the_limits_are_those_of_the_code() -> None:
    section = section_of(PAGE, "Limits")
    for limit in (MAX_EXPRESSION_CHARS, f"{LIMITS.steps:,}", f"{LIMITS.size:,}"):
        assert str(limit) in section
