"""However large a file is, a node holds a small part of it."""

import subprocess
import sys
from pathlib import Path

import pytest

MIB = 1024 * 1024

SCRIPT = """
import resource, sys
from pathlib import Path
import anyio
from flownodes_files.copy import copy
from flownodes_files.read import read
from flownodes_files.read_csv import read_csv
from flownodes_files.read_json_lines import read_json_lines
from flowruntime.testing import NodeHarness

NODES = {
    "copy": (copy, {"path": "large", "to": "copy"}, {}),
    "blob": (read, {"path": "blob"}, {"as": "blob"}),
    "csv": (read_csv, {"path": "large", "skip": 180_000}, {"limit": 10, "header": False}),
    "jsonl": (read_json_lines, {"path": "large", "skip": 180_000}, {"limit": 10}),
    "control": (read, {"path": "text"}, {}),
}
folder, name = sys.argv[1:]
node, inputs, config = NODES[name]

def most_bytes():
    if not sys.platform.startswith("linux"):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Not ru_maxrss, which is that of the process that started this one when that was larger.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

async def main():
    harness, settings = NodeHarness(), {"roots": [folder]}
    small = {**inputs, "path": "small", **({"to": "small_copy"} if "to" in inputs else {})}
    await harness.run(node, {**small, **({"skip": 0} if "skip" in inputs else {})}, config, settings=settings)
    before = most_bytes()
    await harness.run(node, inputs, config, settings=settings)
    print(most_bytes() - before)

anyio.run(main)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`large` has 200 MB in rows of 1 KiB that are CSV and JSON."""
    made = tmp_path_factory.mktemp("large")
    row = b'"' + b"x" * 1021 + b'"\n'
    with (made / "large").open("wb") as file:
        for _ in range(200):
            file.write(row * 1000)
    (made / "small").write_bytes(row)
    (made / "blob").write_bytes(row * (60 * 1024))
    (made / "text").write_bytes(row * (15 * 1024))
    return made


def grown_bytes(folder: Path, node: str) -> int:
    """By how much the memory of a process grew at most while the node ran, after it had run once."""
    ended = subprocess.run([sys.executable, "-c", SCRIPT, folder, node], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)


@pytest.mark.parametrize("node", ["copy", "blob", "csv", "jsonl"])
def test_memory_does_not_grow_with_the_file(folder: Path, node: str) -> None:
    assert grown_bytes(folder, node) < 12 * MIB


def test_what_is_held_whole_would_be_seen(folder: Path) -> None:
    assert grown_bytes(folder, "control") > 12 * MIB
