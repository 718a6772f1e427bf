"""Every hook is documented, tested, and used by somebody in this tree."""

import re
from pathlib import Path

import pluggy
from flowruntime.hooks import specs

ROOT = Path(__file__).parents[4]
MANAGER = pluggy.PluginManager(specs.PROJECT)
HOOKS = sorted(name for name in vars(specs) if MANAGER.parse_hookspec_opts(specs, name) is not None)


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_there_are_hooks() -> None:
    assert len(HOOKS) == 5
    assert set(HOOKS) <= set(specs.__all__)


def test_every_hook_has_a_section_with_its_signature_an_example_and_where_it_is_called() -> None:
    found = sections((ROOT / "docs" / "hooks.md").read_text(encoding="utf-8"))
    for hook in HOOKS:
        section = found[hook]
        assert section.lstrip().startswith(f"`{hook}(")
        assert re.search(rf"@hookimpl\n(@\w+\n)?(async )?def {hook}\(", section)
        assert "thread" in section
        assert all(word in section for word in ("*Called*", "```python", "```text"))
        assert "*Raising*" in section or "*The outcome*" in section


def test_every_hook_says_in_its_docstring_what_it_is_for() -> None:
    for hook in HOOKS:
        assert len((getattr(specs, hook).__doc__ or "").splitlines()) > 3


def test_every_hook_has_tests_and_a_real_user() -> None:
    tests = "".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    user = (ROOT / "examples" / "third-party-pack" / "src" / "flownodes_shelf" / "hooks.py").read_text(encoding="utf-8")
    for hook in HOOKS:
        assert f"def {hook}(" in tests
        assert f"def {hook}(" in user


def test_every_code_is_explained() -> None:
    sources = Path(specs.__file__).parents[1]
    texts = [file.read_text(encoding="utf-8") for file in sources.rglob("*.py")]
    codes = {code for text in texts for code in re.findall(r"hooks\.(?:record|report)\(\s*[^,()]+, \"(\w+)\"", text)}
    codes |= {code for text in texts for code in re.findall(r"code=\"hooks\.(\w+)\"", text)}
    page = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    assert {"slow", "spec", "died"} <= codes
    assert [code for code in sorted(codes) if f"`hooks.{code}`" not in page] == []
