"""Where nodes look secrets up: places in order, and what becomes of places that fail."""

import asyncio
import pickle
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from flowcore.errors import RetryableNodeError, StoreError
from flowruntime.secrets import EnvironmentSecrets, LimitedProvider, Secret, SecretMissing, SecretProvider, Secrets


class Place:
    """A provider with a dict; counts how often it was asked."""

    def __init__(self, name: str, texts: dict[str, Any]) -> None:
        self.name = name
        self.texts = texts
        self.asked = 0

    def get(self, name: str) -> Any:
        self.asked += 1
        return self.texts.get(name)

    def names(self) -> Iterable[str]:
        return self.texts


class Broken:
    """A provider that raises, with the secret in its text."""

    name = "vault"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get(self, name: str) -> str | None:
        raise self.error

    def names(self) -> Iterable[str]:
        raise self.error


def of(*places: SecretProvider) -> Secrets:
    return Secrets(lambda: places)


def test_the_first_place_that_has_a_secret_gives_it() -> None:
    first, second = Place("first", {"A": "1"}), Place("second", {"A": "2", "B": "3"})
    secrets = of(first, second)
    assert (secrets["A"].reveal(), secrets["B"].reveal()) == ("1", "3")
    assert list(secrets) == ["A", "B"]
    assert len(secrets) == 2
    assert second.asked == 1


def test_a_place_is_made_only_when_it_is_reached() -> None:
    made: list[str] = []

    def places() -> Iterator[SecretProvider]:
        for name in ("first", "second"):
            made.append(name)
            yield Place(name, {name: "text"})

    secrets = Secrets(places)
    assert made == []
    for _ in range(2):
        assert secrets["first"].reveal() == "text"
        assert made == ["first"]
    assert "second" in secrets
    assert "third" not in secrets
    assert made == ["first", "second"]


def test_a_changed_secret_is_seen_at_once() -> None:
    place = Place("place", {"A": "old"})
    secrets = of(place)
    held = secrets["A"]
    place.texts["A"] = "new"
    assert (held.reveal(), secrets["A"].reveal()) == ("old", "new")


def test_an_unknown_secret_is_a_key_error_that_says_what_to_do_and_names_no_other_secret() -> None:
    secrets = of(Place("place", {"TOKENS": "x"}))
    with pytest.raises(SecretMissing, match="There is no secret 'TOKEN'") as caught:
        secrets["TOKEN"]
    assert isinstance(caught.value, KeyError)
    assert not caught.value.retryable
    assert caught.value.code == "secret.missing"
    assert "flow secrets set TOKEN" in caught.value.remedy
    assert "FLOW_SECRET_TOKEN" in caught.value.remedy
    assert "TOKENS" not in str(caught.value)
    assert secrets.get("TOKEN") is None


def test_a_name_that_cannot_be_set_is_told_as_such_and_a_plugin_may_have_it() -> None:
    with pytest.raises(SecretMissing) as caught:
        of(Place("place", {}))["api-token"]
    assert "flow secrets set" not in caught.value.remedy
    assert "letters, digits and _" in caught.value.remedy
    assert of(Place("vault", {"api-token": "x"}))["api-token"].reveal() == "x"


def test_the_environment_gives_what_has_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOW_SECRET_TOKEN", "from outside")
    monkeypatch.setenv("FLOW_SECRETS_KEY", "no secret of this name")
    environment = EnvironmentSecrets()
    assert environment.get("TOKEN") == "from outside"
    assert environment.get("OTHER") is None
    assert "TOKEN" in set(environment.names())
    assert "S_KEY" not in set(environment.names())


@pytest.mark.parametrize("place", [EnvironmentSecrets(), Place("place", {}), LimitedProvider(Place("p", {}), "dist")])
def test_places_are_providers(place: object) -> None:
    assert isinstance(place, SecretProvider)


def test_a_place_that_raises_ends_the_attempt_and_its_text_is_not_shown() -> None:
    secrets = of(Broken(ValueError("hunter2-hunter2")), Place("second", {"A": "1"}))
    with pytest.raises(RetryableNodeError, match="'vault' raised ValueError") as caught:
        secrets["A"]
    assert caught.value.code == "secret.provider"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "hunter2" not in str(caught.value)
    with pytest.raises(RetryableNodeError):
        list(secrets)


def test_a_database_that_is_away_ends_the_attempt_which_may_be_made_again() -> None:
    secrets = of(Broken(StoreError("The database is busy.")))
    with pytest.raises(RetryableNodeError, match="cannot be asked: The database is busy"):
        secrets["A"]


def test_what_is_no_text_is_no_secret() -> None:
    with pytest.raises(RetryableNodeError, match="gave int instead of a text"):
        of(Place("place", {"A": 1}))["A"]


def test_a_place_that_hangs_is_given_up_and_not_asked_again() -> None:
    release = threading.Event()

    class Hanging(Place):
        def get(self, name: str) -> Any:
            super().get(name)
            release.wait(30)

    hanging = Hanging("vault", {})
    secrets = of(LimitedProvider(hanging, "acme-vault", limit_seconds=0.05))
    try:
        for _ in range(2):
            with pytest.raises(RetryableNodeError, match=r"'vault' of 'acme-vault' gave no answer in 0\.05 s"):
                secrets["A"]
        assert hanging.asked == 1
    finally:
        release.set()


def test_a_place_in_time_answers_as_if_it_were_not_limited() -> None:
    limited = LimitedProvider(Place("vault", {"A": "1"}), "acme-vault")
    assert (limited.name, limited.get("A"), limited.get("B"), limited.names()) == ("vault", "1", None, ["A"])
    with pytest.raises(RetryableNodeError, match="raised KeyError"):
        of(LimitedProvider(Broken(KeyError("hunter2")), "acme-vault"))["A"]


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
def test_what_a_place_raises_ends_nothing_but_its_answer(raised: type[BaseException]) -> None:
    class Ending(Place):
        def get(self, name: str) -> Any:
            raise raised("hunter2-hunter2")

    with pytest.raises(RetryableNodeError, match="'vault' raised RuntimeError") as caught:
        of(LimitedProvider(Ending("vault", {}), "acme-vault"))["A"]
    assert "hunter2" not in str(caught.value)


def test_names_that_are_no_texts_are_left_out() -> None:
    names: dict[Any, str] = {"A": "1", 3: "2", None: "3"}
    assert LimitedProvider(Place("vault", names), "acme-vault").names() == ["A"]


def test_threads_may_ask_at_the_same_time() -> None:
    def places() -> Iterator[SecretProvider]:
        for number in range(50):
            yield Place(str(number), {f"N{number}": str(number)})

    secrets = Secrets(places)
    found: list[str] = []

    def ask() -> None:
        found.extend(secrets[f"N{number}"].reveal() for number in range(50))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted([str(number) for number in range(50)] * 8)


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret("hunter2")
    assert f"{secret} {secret!r} {[secret]} {vars(Secret).get('_text')}".count("hunter2") == 0
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)
