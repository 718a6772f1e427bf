"""The conformance suite as tests: `test_conformance = conformance(folder)` is one item a check and node type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flowruntime.testing.suite.checks import Item, items_of

__all__ = ["conformance"]


def conformance(project: Path | str) -> Callable[[Item], None]:
    """A test function for every check of the pack whose pyproject.toml lies in this folder.

    ```python
    test_conformance = conformance(Path(__file__).parents[1])
    ```

    Imports the pack's code.
    """
    import pytest

    @pytest.mark.parametrize("item", items_of(Path(project)), ids=str)
    def test_conformance(item: Item) -> None:
        found = item.run()
        if found:
            pytest.fail("\n".join([item.check.asks, *(f"  {finding}" for finding in found)]), pytrace=False)

    return test_conformance
