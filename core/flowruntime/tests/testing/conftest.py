"""What the tests of the conformance suite share: packs are imported into this process, and go again."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def imports_as_before() -> Iterator[None]:
    """Afterwards the search path and the imported packs are what they were."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("flownodes_"):
            del sys.modules[name]
