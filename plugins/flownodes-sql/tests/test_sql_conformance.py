"""The pack keeps to the rules of all packs: a test for each rule and node type."""

from pathlib import Path

from flowruntime.testing import conformance

test_conformance = conformance(Path(__file__).parents[1])
