"""The table of control-flow patterns in the docs claims what is tested, and nothing else."""

import re

from tests.architecture.source_tree import ROOT
from tests.patterns import test_control_flow_patterns as patterns


def test_the_table_names_every_pattern_that_is_tested_with_its_test() -> None:
    text = (ROOT / "docs" / "control-flow.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| (\d+) \|.*\[(test_\w+)\]", text, flags=re.MULTILINE))
    tested = {
        (number, name)
        for name, function in vars(patterns).items()
        if name.startswith("test_")
        for number in re.findall(r"^Pattern (\d+)", function.__doc__ or "")
    }
    assert {number for number, _ in told} == {number for number, _ in tested}
    assert told <= tested
