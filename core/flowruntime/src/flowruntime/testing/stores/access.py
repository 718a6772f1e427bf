"""What every store must do with tokens, secrets and the audit log."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flowcore.contracts import AuditEntry, EncryptedSecret, Store, StoredToken
from flowcore.errors import StoreError

__all__ = ["AccessSuite"]

_TOKEN = StoredToken(
    name="ci", sha256=b"\0" * 31 + b"\xff", role="editor", grants=("shell", "secret:é"), created_us=1, expires_us=2**60
)
_SECRET = EncryptedSecret(name="key", ciphertext=b"\0\xff" * 100, key_id="k1", updated_us=1)


def entry(at_us: int, action: str = "run") -> AuditEntry:
    """An entry of the audit log."""
    return AuditEntry(at_us=at_us, principal="ci", action=action, subject="flow", details={"n": [1, None, "é"]})


class AccessSuite:
    """Give `store` as a fixture; it is open, empty, and closed by the fixture."""

    @pytest.fixture
    def store(self) -> Store:
        """The store under test."""
        raise AssertionError("an implementation gives its own")

    # --- tokens -------------------------------------------------------------------------------------

    def test_a_token_is_found_by_its_hash_until_it_is_revoked(self, store: Store) -> None:
        assert store.tokens.find(_TOKEN.sha256) is None
        store.tokens.put(_TOKEN)
        assert store.tokens.find(_TOKEN.sha256) == _TOKEN
        assert store.tokens.remove("ci")
        assert not store.tokens.remove("ci")
        assert store.tokens.find(_TOKEN.sha256) is None

    def test_tokens_are_listed_by_name_and_each_name_is_given_once(self, store: Store) -> None:
        plain = StoredToken(name="a", sha256=b"1" * 32, role="viewer", created_us=1)
        store.tokens.put(_TOKEN)
        store.tokens.put(plain)
        assert list(store.tokens.list()) == [plain, _TOKEN]
        for again in (replace(_TOKEN, sha256=b"2" * 32), replace(_TOKEN, name="other")):
            with pytest.raises(StoreError) as caught:
                store.tokens.put(again)
            assert caught.value.code == "token.exists"
        assert list(store.tokens.list()) == [plain, _TOKEN]

    def test_the_latest_use_of_a_token_is_noted(self, store: Store) -> None:
        store.tokens.put(_TOKEN)
        store.tokens.used("ci", 77)
        store.tokens.used("nobody", 78)
        assert list(store.tokens.list()) == [replace(_TOKEN, used_us=77)]

    # --- secrets ------------------------------------------------------------------------------------

    def test_a_secret_is_kept_until_it_is_replaced_or_removed(self, store: Store) -> None:
        newer = replace(_SECRET, ciphertext=b"", key_id="k2", updated_us=2)
        assert store.secrets.get("key") is None
        store.secrets.put(_SECRET)
        assert store.secrets.get("key") == _SECRET
        store.secrets.put(newer)
        store.secrets.put(replace(_SECRET, name="a"))
        assert list(store.secrets.list()) == [replace(_SECRET, name="a"), newer]
        assert store.secrets.remove("key")
        assert not store.secrets.remove("key")
        assert store.secrets.get("key") is None

    def test_a_ciphertext_is_not_shown(self) -> None:
        assert "\\xff" not in repr(_SECRET)

    # --- audit --------------------------------------------------------------------------------------

    def test_the_audit_log_is_read_newest_first_in_pages(self, store: Store) -> None:
        for at_us in range(5):
            store.audit.add(entry(at_us))
        page = list(store.audit.list(limit=2))
        assert [kept for _, kept in page] == [entry(4), entry(3)]
        rest = list(store.audit.list(before=page[-1][0]))
        assert [kept for _, kept in rest] == [entry(2), entry(1), entry(0)]
        numbers = [number for number, _ in (*page, *rest)]
        assert numbers == sorted(set(numbers), reverse=True)

    def test_old_entries_can_be_pruned_and_numbers_go_on(self, store: Store) -> None:
        for at_us in range(5):
            store.audit.add(entry(at_us))
        (newest, _), *_ = store.audit.list()
        assert store.audit.prune(3) == 3
        assert [kept.at_us for _, kept in store.audit.list()] == [4, 3]
        assert store.audit.prune(10) == 2
        store.audit.add(entry(11))
        ((number, _),) = store.audit.list()
        assert number > newest
