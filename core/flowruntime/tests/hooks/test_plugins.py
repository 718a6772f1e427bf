"""How plugins are found, loaded and called, each under its own guard."""

import subprocess
import sys
from pathlib import Path

import pytest
from flowruntime.expressions.functions.known import collect_functions
from flowruntime.hooks import ExpressionFunction, load_hooks

from core.flowruntime.tests.hooks.installed_plugins import Plugins, codes

GOOD = """
@hookimpl
def expression_functions():
    return [ExpressionFunction(name={name!r}, function=lambda text: text + '!', arguments=(('string',),))]
"""


def test_a_plugin_is_registered_under_its_distribution_and_asked(plugins: Plugins) -> None:
    plugins.add("acme-text", GOOD.format(name="shout"))
    hooks = plugins.load()
    assert [name for name, _ in hooks.call("expression_functions")] == ["acme-text"]
    functions, problems = collect_functions(hooks)
    assert (list(functions), problems, hooks.problems) == (["shout"], [], [])
    assert functions["shout"].function("hey") == "hey!"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("raise RuntimeError('no')", "hooks.import"),
        ("raise SystemExit(3)", "hooks.import"),
        ("import module_that_is_nowhere", "hooks.import"),
        ("@hookimpl\ndef expression_functions():\n    raise RuntimeError('no')\n", "hooks.call"),
        ("@hookimpl\ndef expression_functions():\n    raise SystemExit(3)\n", "hooks.call"),
        ("@hookimpl\ndef expression_functions(wrong):\n    return []\n", "hooks.register"),
        ("@hookimpl\ndef expresion_functions():\n    return []\n", "hooks.unknown"),
    ],
)
def test_a_plugin_that_fails_is_recorded_and_keeps_no_other_out(plugins: Plugins, source: str, code: str) -> None:
    plugins.add("a-bad", source)
    plugins.add("b-good", GOOD.format(name="shout"))
    plugins.add("c-bad", source)
    hooks = plugins.load()
    functions, _ = collect_functions(hooks)
    assert list(functions) == ["shout"]
    assert sorted(codes(hooks)) == [("a-bad", code), ("c-bad", code)]
    assert all(problem.message.endswith(".") and problem.remedy for problem in hooks.problems)


def test_names_that_jmespath_or_flownodes_or_an_earlier_plugin_has_are_refused(plugins: Plugins) -> None:
    for distribution, name in {"a-one": "length", "b-two": "trim", "c-three": "shout", "d-four": "shout"}.items():
        plugins.add(distribution, GOOD.format(name=name))
    functions, problems = collect_functions(plugins.load())
    assert list(functions) == ["shout"]
    told = {problem.pack: problem.message for problem in problems}
    assert "JMESPath has one" in told.pop("a-one")
    assert "Flownodes has one" in told.pop("b-two")
    [message] = told.values()
    assert "has one of that name" in message


@pytest.mark.parametrize("given", ["[3]", "3", "[ExpressionFunction(name='no-name', function=len)]"])
def test_what_is_no_function_is_refused(plugins: Plugins, given: str) -> None:
    plugins.add("acme", f"@hookimpl\ndef expression_functions():\n    return {given}\n")
    functions, problems = collect_functions(plugins.load())
    assert (functions, [problem.pack for problem in problems]) == ({}, ["acme"])


def test_a_distribution_that_may_not_load_is_not_imported(plugins: Plugins) -> None:
    plugins.add("acme", "raise RuntimeError('imported')")
    refused = load_hooks([str(plugins.folder)], permits=lambda name: name != "acme")
    assert refused.problems == []
    assert codes(plugins.load()) == [("acme", "hooks.import")]


def test_broken_metadata_keeps_no_plugin_out(plugins: Plugins) -> None:
    plugins.add("acme", GOOD.format(name="shout"))
    (plugins.folder / "broken-1.0.dist-info").mkdir()
    for name, metadata in {"nameless": "Metadata-Version: 2.1\n", "bare": None}.items():
        info = plugins.folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_text("[flownodes.hooks]\nhooks = nowhere\n")
        if metadata is not None:
            (info / "METADATA").write_text(metadata)
    assert list(collect_functions(plugins.load())[0]) == ["shout"]


def evaluate(text: str, folder: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """What a fresh process with the folder on its path says of an expression, and which modules it has loaded."""
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); {before}\n"
        "from flowruntime.expressions import compile_expression, ExpressionError\n"
        f"try:\n    print(compile_expression({text!r}, None)({{}}))\n"
        "except ExpressionError as fault:\n    print(fault.message, fault.remedy)\n"
        "print('pluggy' in sys.modules, 'importlib_metadata' in sys.modules)\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_an_installed_plugin_adds_a_function_to_expressions(plugins: Plugins) -> None:
    plugins.add("acme", GOOD.format(name="shout"))
    assert evaluate("shout('hey')", plugins.folder).stdout.splitlines()[0] == "hey!"
    assert "Did you mean 'shout' or 'sort'?" in evaluate("shuot('hey')", plugins.folder).stdout
    denied = "from flowruntime.hooks import permit_hooks; permit_hooks(lambda name: name != 'acme')"
    assert "There is no function 'shout'." in evaluate("shout('hey')", plugins.folder, denied).stdout


def test_what_a_function_raises_fails_the_expression_and_shows_no_value(plugins: Plugins) -> None:
    raising = "function=lambda text: int(text), arguments=(('string',),))"
    plugins.add("acme", GOOD.format(name="whole").replace(GOOD[GOOD.index("function=lambda") :].strip(), raising + "]"))
    code = (
        f"import sys; sys.path.insert(0, {str(plugins.folder)!r})\n"
        "from flowruntime.expressions import compile_expression\n"
        "compile_expression(\"whole('hunter2')\", None)({})\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = ended.stderr.splitlines()[-1]
    assert "failed at column 0: whole() raised ValueError." in last
    assert "invalid literal" not in ended.stderr


def test_plugins_are_looked_for_only_when_a_function_is_unknown(plugins: Plugins) -> None:
    assert evaluate("length('a')", plugins.folder).stdout.split() == ["1", "False", "False"]
    assert evaluate("trim(' a ')", plugins.folder).stdout.split() == ["a", "True", "False"]


def test_usage_shows_what_may_be_left_out() -> None:
    made = ExpressionFunction(name="f", function=print, arguments=(("string",), (), ("number", "null")), optional=2)
    assert made.usage == "f(string[, any][, number or null])"
    assert ExpressionFunction(name="g", function=print, arguments=(("string",),), optional=1).usage == "g([string])"
