"""How plugins are found, loaded and called, each under its own guard."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from flowruntime.expressions.functions.known import collect_functions
from flowruntime.hooks import ExpressionFunction, Hooks, load_hooks

from core.flowruntime.tests.hooks.installed_plugins import GIVEN_UP_SECONDS, Plugins, codes

GOOD = """
@hookimpl
def expression_functions():
    return [ExpressionFunction(name={name!r}, function=lambda text: text + '!', arguments=(('string',),))]
"""
#: An exception that cannot be told.
UNTOLD = "class Untold(Exception):\n    def __str__(self):\n        raise RuntimeError('no text')\n\n"
NAMED = "@hookimpl(specname='expression_functions')\ndef of_acme"
#: Prints while the other one is asked too, and is not done before that has begun.
MEETING = """
@hookimpl
def observers():
    threading.flow_begun[{mine}].set()
    threading.flow_begun[{other}].wait(10)
    print('printed')
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
        ("raise RuntimeError('No.')", "hooks.import"),
        ("raise SystemExit(3)", "hooks.import"),
        ("import module_that_is_nowhere", "hooks.import"),
        ("@hookimpl\ndef expression_functions():\n    raise RuntimeError('no')\n", "hooks.call"),
        ("@hookimpl\ndef expression_functions():\n    raise SystemExit(3)\n", "hooks.call"),
        ("@hookimpl\ndef expression_functions(wrong):\n    return []\n", "hooks.register"),
        ("@hookimpl\ndef expresion_functions():\n    return []\n", "hooks.unknown"),
        ("raise KeyboardInterrupt", "hooks.import"),
        ("@hookimpl\ndef expression_functions():\n    raise KeyboardInterrupt\n", "hooks.call"),
        (UNTOLD + "raise Untold", "hooks.import"),
        (UNTOLD + "@hookimpl\ndef expression_functions():\n    raise Untold\n", "hooks.call"),
        (UNTOLD + "def __dir__():\n    raise Untold\n", "hooks.register"),
        ("@hookimpl(wrapper=True)\ndef expression_functions():\n    return (yield)\n", "hooks.register"),
        ("@hookimpl(hookwrapper=True)\ndef expression_functions():\n    yield\n", "hooks.register"),
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
    assert not any(problem.message.endswith("..") for problem in hooks.problems)


def test_an_attribute_that_hangs_while_hooks_are_looked_for_is_given_up(plugins: Plugins) -> None:
    plugins.add("a-bad", "def __dir__():\n    threading.Event().wait()\n")
    plugins.add("b-good", GOOD.format(name="shout"))
    hooks = plugins.load(limit_seconds=GIVEN_UP_SECONDS)
    assert (list(collect_functions(hooks)[0]), codes(hooks)) == (["shout"], [("a-bad", "hooks.hung")])


def test_a_hook_may_have_another_name_and_be_one_of_a_later_version(plugins: Plugins) -> None:
    named = GOOD.format(name="shout").replace("@hookimpl\ndef expression_functions", NAMED)
    plugins.add("acme", named + "@hookimpl(optionalhook=True)\ndef of_tomorrow():\n    pass\n")
    hooks = plugins.load()
    assert (list(collect_functions(hooks)[0]), codes(hooks)) == (["shout"], [])


def test_of_a_long_text_the_beginning_is_told(plugins: Plugins) -> None:
    plugins.add("acme", "raise ValueError('x' * 1_000_000)")
    [problem] = plugins.load().problems
    assert len(problem.message) < 2000


def test_stdout_is_the_same_after_two_threads_have_asked_plugins(
    plugins: Plugins, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = [threading.Event(), threading.Event()]
    monkeypatch.setattr(threading, "flow_begun", begun, raising=False)
    plugins.add("a-first", MEETING.format(mine=0, other=1))
    plugins.add("b-second", MEETING.format(mine=1, other=0))
    points = [plugins.load().points[name] for name in ("a-first", "b-second")]
    asking = [threading.Thread(target=Hooks([point]).call, args=("observers",)) for point in points]
    before = sys.stdout
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert sys.stdout is before
    told = capsys.readouterr()
    assert (told.out, told.err.count("printed")) == ("", 2)


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


@pytest.mark.parametrize(
    "given",
    [
        "[3]",
        "3",
        "[ExpressionFunction(name='no-name', function=len)]",
        "[ExpressionFunction(name=3, function=len)]",
        "[ExpressionFunction(name='f', function=3)]",
        "[ExpressionFunction(name='f', function=len, size=3)]",
        "[ExpressionFunction(name='f', function=len, arguments=None)]",
        "[ExpressionFunction(name='f', function=len, arguments=('string',))]",
        "[ExpressionFunction(name='f', function=len, arguments=(('text',),))]",
        "[ExpressionFunction(name='f', function=len, arguments=(('string',),), optional=2)]",
    ],
)
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


def outcome(text: str, folder: Path) -> str:
    """The value of an expression in a fresh process with the folder on its path, or why it failed."""
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r})\n"
        "from flowcore.errors import NodeError\n"
        "from flowruntime.expressions import compile_expression\n"
        f"try: print(compile_expression({text!r}, None)({{}}))\n"
        "except NodeError as error: print(error.message.partition(': ')[2])\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


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


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("function=lambda text: sys.exit(text), arguments=(('string',),)", "whole() raised SystemExit"),
        ("function=lambda text: int(text()), arguments=(('string',),), is_lazy=True", "whole() raised ValueError"),
        ("function=lambda text: {1, 2}, arguments=(('string',),), is_lazy=True", "whole() gives what is no value"),
        ("function=len, size=lambda text: int(text), arguments=(('string',),)", "whole() raised ValueError"),
        ("function=lambda text: text(), arguments=(('string',),), is_lazy=True", "hunter2"),
        ("function=lambda text: text() and 'hunter2', arguments=((),), is_lazy=True", "hunter2"),
    ],
)
def test_whatever_a_function_does_fails_the_expression_alone(plugins: Plugins, function: str, said: str) -> None:
    given = f"[ExpressionFunction(name='whole', {function})]"
    plugins.add("acme", f"import sys\n@hookimpl\ndef expression_functions():\n    return {given}\n")
    told = outcome("whole('hunter2')", plugins.folder)
    assert told.startswith(said)
    assert told.count("hunter2") == said.count("hunter2")


def test_what_an_argument_of_a_lazy_function_raises_is_told_as_its_own(plugins: Plugins) -> None:
    lazy = "[ExpressionFunction(name='later', function=lambda value: value(), arguments=((),), is_lazy=True)]"
    plugins.add("acme", f"@hookimpl\ndef expression_functions():\n    return {lazy}\n")
    assert outcome("later(abs('x'))", plugins.folder).startswith("abs() takes number, and got string")


def test_functions_that_are_refused_are_problems_that_the_registry_tells(plugins: Plugins) -> None:
    plugins.add("acme", GOOD.format(name="trim"))
    code = (
        f"import sys; sys.path.insert(0, {str(plugins.folder)!r})\n"
        "from flowruntime.registry import Registry\n"
        "from flowruntime.expressions.functions import known_functions\n"
        "registry = Registry.discover(cache_dir=None); registry.hooks; known_functions()\n"
        "print([problem.code for problem in registry.problems if problem.pack == 'acme'])\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "['hooks.conflict']"


def test_plugins_are_looked_for_only_when_a_function_is_unknown(plugins: Plugins) -> None:
    assert evaluate("length('a')", plugins.folder).stdout.split() == ["1", "False", "False"]
    assert evaluate("trim(' a ')", plugins.folder).stdout.split() == ["a", "True", "False"]


def test_usage_shows_what_may_be_left_out() -> None:
    made = ExpressionFunction(name="f", function=print, arguments=(("string",), (), ("number", "null")), optional=2)
    assert made.usage == "f(string[, any][, number or null])"
    assert ExpressionFunction(name="g", function=print, arguments=(("string",),), optional=1).usage == "g([string])"
