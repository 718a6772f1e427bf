"""Finds the files and members that the architecture tests look at."""

import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["ROOT", "Member", "files", "members", "project", "python_files"]

ROOT = Path(__file__).parents[2]


class Member(NamedTuple):
    """One distribution of the workspace."""

    folder: Path
    name: str

    @property
    def package(self) -> Path:
        """The folder of the import package."""
        return self.folder / "src" / self.name.replace("-", "_")

    @property
    def is_pack(self) -> bool:
        """Whether it offers node types."""
        return "flownodes" in project(self.folder)["project"].get("entry-points", {})

    def modules(self) -> list[Path]:
        return sorted(self.package.rglob("*.py"))


@cache
def project(folder: Path = ROOT) -> dict[str, Any]:
    """The pyproject.toml in this folder."""
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


@cache
def members() -> tuple[Member, ...]:
    """Every member that the workspace declares, without the root."""
    patterns = project()["tool"]["uv"]["workspace"]["members"]
    folders = sorted(path.parent for pattern in patterns for path in ROOT.glob(f"{pattern}/pyproject.toml"))
    return tuple(Member(folder, project(folder)["project"]["name"]) for folder in folders)


@cache
def files() -> tuple[Path, ...]:
    """Every file that is tracked, or would be by `git add --all`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (ROOT / name for name in sorted(set(listed.split("\0"))) if name)
    return tuple(path for path in paths if path.is_file())


def python_files() -> list[Path]:
    return [path for path in files() if path.suffix == ".py"]
