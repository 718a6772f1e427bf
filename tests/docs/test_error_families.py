"""The page about errors knows what every code in the sources is about."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.architecture.source_tree import ROOT

PAGE = ROOT / "docs" / "errors.md"
SOURCES = ("core/*/src", "apps/*/src", "plugins/*/src", "flownodes-*/src")
#: Behind a dot, as in `http.404`; what an author of a node may write is nothing of ours.
CODE = re.compile(r"([a-z_]+)\.[a-z_0-9]*")


def codes() -> Iterator[str]:
    """What is given as `code=…`, and the `default_code` of classes; of a text that is put together, its beginning."""
    for pattern in SOURCES:
        for source in (file for folder in ROOT.glob(pattern) for file in folder.rglob("*.py")):
            for part in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
                match part:
                    case ast.keyword(arg="code", value=value):
                        pass
                    case ast.Assign(targets=[ast.Name(id="default_code")], value=value):
                        pass
                    case _:
                        continue
                match value:
                    case ast.Constant(value=str(text)) | ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
                        yield text
                    case _:
                        pass


def test_what_stands_before_the_dot_is_explained_for_every_code_and_for_no_other() -> None:
    families = {found[1] for code in codes() if (found := CODE.match(code))}
    explained = set(re.findall(r"`([a-z_]+)\.…`", PAGE.read_text(encoding="utf-8")))
    assert {"document", "store", "files"} <= families
    assert families - explained == set()
    # Some are made of several texts, which only running the code could tell.
    named = "\n".join(file.read_text(encoding="utf-8") for file in ROOT.glob("*/*/src/**/*.py"))
    assert {family for family in explained - families if f'"{family}' not in named} == set()
