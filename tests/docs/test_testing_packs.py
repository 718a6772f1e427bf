"""The tests that docs/testing-packs.md shows pass, and its table names every check."""

import os
import re
import subprocess
import sys
from pathlib import Path

from flowruntime.testing import CHECKS

from tests.architecture.source_tree import ROOT
from tests.docs.documents import blocks_of, section_of

DOCUMENT = ROOT / "docs" / "testing-packs.md"
BLOCKS = [block.text for block in blocks_of(DOCUMENT) if block.language == "python" and "async def test_" in block.text]


def test_the_tests_in_the_document_pass(tmp_path: Path) -> None:
    for number, text in enumerate(BLOCKS):
        (tmp_path / f"test_block_{number}.py").write_text(text, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nanyio_mode = auto\nfilterwarnings = error\n", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "FLOW_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert ended.returncode == 0, ended.stdout
    assert f"{sum(text.count('async def test_') for text in BLOCKS)} passed" in ended.stdout


def test_the_table_of_checks_names_each_in_its_order() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section_of(DOCUMENT, "The rules of all packs"), re.MULTILINE)
    assert rows[: len(CHECKS)] == [check.name for check in CHECKS]
