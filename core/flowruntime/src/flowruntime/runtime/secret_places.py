"""Where the secrets of a runtime come from: the environment, the providers of plugins, a database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from flowcore.contracts import EncryptedSecret, SecretStore, Store
from flowcore.errors import StoreError

from flowruntime.hooks import installed_hooks
from flowruntime.registry.places import settings_file
from flowruntime.secrets import EnvironmentSecrets, LimitedProvider, SecretProvider, Secrets
from flowruntime.stores import store_for

__all__ = ["find_secrets", "plugin_secrets", "stored_secrets"]


def find_secrets(store: Store, secrets_db: str | None = None) -> Secrets:
    """The secrets for what runs with this store; those of another database, if there is one at the URL `secrets_db`.

    A name that several places have means the one in the environment, else that of a plugin, else the stored one.
    """

    def providers() -> Iterator[SecretProvider]:
        yield EnvironmentSecrets()
        yield from plugin_secrets()
        yield stored_secrets(store.secrets if secrets_db is None else _Elsewhere(secrets_db))

    return Secrets(providers)


def plugin_secrets() -> list[LimitedProvider]:
    """The providers of the plugins that are installed and may load. What is none is a problem of its plugin."""
    hooks = installed_hooks()
    found: list[LimitedProvider] = []
    for plugin, provider in hooks.each("secret_providers"):
        if isinstance(provider, SecretProvider):
            found.append(LimitedProvider(provider, plugin))
        else:
            hooks.report(plugin, "answer", f"Its hook 'secret_providers' gave {provider!r}, which is no SecretProvider.")
    return found


def stored_secrets(store: SecretStore) -> StoredSecrets:
    """The secrets in an open store, with the keys from where flow.toml and the environment say."""
    return StoredSecrets(store, _key_place)


def _key_place() -> KeyPlace:
    settings = settings_file()
    return choose_key_place(None if settings is None else Path(settings))


class _Elsewhere:
    """The secrets of a database that is opened when it is asked; while there is none, it has none."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, name: str) -> EncryptedSecret | None:
        with self._opened() as store:
            return None if store is None else store.get(name)

    def list(self) -> Sequence[EncryptedSecret]:
        with self._opened() as store:
            return () if store is None else store.list()

    def put(self, secret: EncryptedSecret) -> None:
        raise _not_here()

    def remove(self, name: str) -> bool:
        raise _not_here()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[SecretStore | None]:
        store = store_for(self._url, read_only=True)
        try:
            store.open()
        except StoreError as error:
            if error.code != "store.missing":
                raise
            yield None
            return
        try:
            yield store.secrets
        finally:
            store.close()
