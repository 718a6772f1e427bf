"""Secret providers of plugins, each under a guard."""

import pytest
from flowcore.errors import RetryableNodeError
from flowruntime import Runtime
from flowruntime.authoring import Context, node
from flowruntime.hooks.providing import collect_providers
from flowruntime.registry import PackSettings
from flowruntime.secrets import SecretMissing, Secrets

from core.flowruntime.tests.hooks.installed_plugins import GIVEN_UP_SECONDS, Plugins, codes

PROVIDER = """
class Vault:
    name = {name!r}
    def get(self, name):
        {get}
    def names(self):
        {names}

@hookimpl
def secret_providers():
    return [Vault()]
"""


def vault(
    name: str = "vault", get: str = "return {'TOKEN': 's3cret-' + self.name}.get(name)", names: str = "yield 'TOKEN'"
) -> str:
    return PROVIDER.format(name=name, get=get, names=names)


def secrets(plugins: Plugins, *, limit_seconds: float = 10.0) -> Secrets:
    return Secrets(lambda: collect_providers(plugins.load(limit_seconds=limit_seconds)))


def test_secrets_come_from_plugins_in_the_order_of_their_distributions(plugins: Plugins) -> None:
    plugins.add("b-acme", vault("b"))
    plugins.add("a-acme", vault("a"))
    found = secrets(plugins)
    assert found["TOKEN"].reveal() == "s3cret-a"
    assert list(found) == ["TOKEN"]
    with pytest.raises(SecretMissing):
        found["OTHER"]


@pytest.mark.parametrize("fault", ["raise RuntimeError('s3cret')", "raise SystemExit('s3cret')", "return 3"])
def test_a_provider_that_fails_ends_the_attempt_for_another_try_and_tells_nothing(plugins: Plugins, fault: str) -> None:
    plugins.add("acme", vault(get=fault))
    with pytest.raises(RetryableNodeError) as caught:
        secrets(plugins)["TOKEN"]
    assert caught.value.code == "secret.provider"
    assert "s3cret" not in str(caught.value)


def test_a_provider_that_hangs_is_given_up_and_not_asked_again(plugins: Plugins) -> None:
    plugins.add("acme", vault(get="threading.Event().wait()"))
    found = secrets(plugins, limit_seconds=GIVEN_UP_SECONDS)
    for _ in range(2):
        with pytest.raises(RetryableNodeError) as caught:
            found["TOKEN"]
        assert caught.value.code == "secret.provider"


@pytest.mark.parametrize(
    "source",
    [
        "@hookimpl\ndef secret_providers():\n    raise ValueError('no entry for s3cret')\n",
        "@hookimpl\ndef secret_providers():\n    yield 1 / 0 if False else int('s3cret')\n",
        vault().replace("name = 'vault'", "name = property(lambda self: int('s3cret'))"),
    ],
)
def test_the_record_of_a_hook_that_fails_has_no_text_of_what_it_raised(plugins: Plugins, source: str) -> None:
    plugins.add("acme", source)
    hooks = plugins.load()
    collect_providers(hooks)
    [problem] = hooks.problems
    assert problem.message.endswith("raised ValueError.")


async def test_a_runtime_asks_the_plugins_of_its_own_registry(plugins: Plugins) -> None:
    plugins.add("acme", vault())
    document = {"name": "W", "nodes": [{"id": "n", "node_type": "local.look"}]}
    for settings, length in ((PackSettings(), len("s3cret-vault")), (PackSettings(deny=("acme",)), None)):
        async with Runtime(nodes=[look], registry=plugins.registry(settings)) as runtime:
            result = await runtime.run(document)
        assert result.node_outputs == ({} if length is None else {"n": {"result": length}})
        assert result.error is None or result.error["code"] == "secret.missing"


@node("look", effects="pure")
async def look(ctx: Context) -> int:
    """Give the length of a secret."""
    return len(ctx.secrets["TOKEN"].reveal())


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("@hookimpl\ndef secret_providers():\n    raise RuntimeError('no')\n", "hooks.call"),
        ("@hookimpl\ndef secret_providers():\n    raise SystemExit(3)\n", "hooks.call"),
        ("@hookimpl\ndef secret_providers():\n    threading.Event().wait()\n", "hooks.hung"),
        ("@hookimpl\ndef secret_providers():\n    return 3\n", "hooks.provider"),
        ("@hookimpl\ndef secret_providers():\n    return [len]\n", "hooks.provider"),
        (vault().replace("name = 'vault'", "name = property(lambda self: 1 / 0)"), "hooks.call"),
    ],
)
def test_a_hook_that_fails_is_recorded_and_the_others_are_asked(plugins: Plugins, source: str, code: str) -> None:
    plugins.add("a-bad", source)
    plugins.add("b-good", vault())
    hooks = plugins.load(limit_seconds=GIVEN_UP_SECONDS)
    assert [provider.name for provider in collect_providers(hooks)] == ["vault"]
    assert codes(hooks) == [("a-bad", code)]
