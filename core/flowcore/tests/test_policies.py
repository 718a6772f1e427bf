"""Retry policies: the delay's formula at every edge, and which of two policies holds."""

from __future__ import annotations

from fractions import Fraction

import pytest
from flowcore.errors import Problem
from flowcore.policies import DEFAULT_RETRY_POLICY, PartialRetryPolicy, RetryPolicy, resolve_retry_policy
from hypothesis import given
from hypothesis import strategies as st


def test_the_default_policy_is_the_contracts() -> None:
    assert RetryPolicy() == DEFAULT_RETRY_POLICY
    assert (
        RetryPolicy(
            max_attempts=3, delay_ms=1000, backoff_multiplier=2.0, max_delay_ms=60000, jitter=0.1, retry_on_timeout=True
        )
        == DEFAULT_RETRY_POLICY
    )


@pytest.mark.parametrize(
    ("failures", "delay_ms"), [(1, 1000), (2, 2000), (3, 4000), (6, 32000), (7, 60000), (8, 60000), (5000, 60000)]
)
def test_the_delay_doubles_up_to_its_maximum(failures: int, delay_ms: float) -> None:
    assert DEFAULT_RETRY_POLICY.delay_after(failures, 0.0) == delay_ms


def test_jitter_moves_the_delay_by_its_share() -> None:
    assert DEFAULT_RETRY_POLICY.delay_after(1, 1.0) == pytest.approx(1100)
    assert DEFAULT_RETRY_POLICY.delay_after(1, -1.0) == pytest.approx(900)
    assert DEFAULT_RETRY_POLICY.delay_after(20, 1.0) == pytest.approx(66000)


@pytest.mark.parametrize(
    ("retry_after_ms", "delay_ms"), [(500, 1000), (1000, 1000), (5000, 5000), (60000, 60000), (10**9, 60000)]
)
def test_a_longer_wish_of_the_node_wins_up_to_the_maximum(retry_after_ms: float, delay_ms: float) -> None:
    assert DEFAULT_RETRY_POLICY.delay_after(1, 0.0, retry_after_ms) == delay_ms


def test_no_delay_stays_none_however_often_it_is_multiplied() -> None:
    policy = RetryPolicy(delay_ms=0)
    assert [policy.delay_after(failures, 1.0) for failures in (1, 10, 100_000)] == [0.0, 0.0, 0.0]


def test_a_whole_multiplier_grows_no_digits() -> None:
    # As a whole number, 9**(10**9) would fill the memory.
    assert RetryPolicy(backoff_multiplier=9).delay_after(10**9, 0.0) == 60000


@given(
    delay=st.integers(0, 10**6),
    multiplier=st.integers(1, 5),
    maximum=st.integers(0, 10**6),
    jitter=st.floats(0, 1),
    u=st.floats(-1, 1),
    failures=st.integers(1, 12),
    retry_after=st.none() | st.integers(0, 10**7),
)
def test_the_delay_is_the_formula_of_the_contract(
    *, delay: int, multiplier: int, maximum: int, jitter: float, u: float, failures: int, retry_after: int | None
) -> None:
    policy = RetryPolicy(delay_ms=delay, backoff_multiplier=multiplier, max_delay_ms=maximum, jitter=jitter)
    exact = min(Fraction(maximum), Fraction(delay) * multiplier ** (failures - 1)) * (
        1 + Fraction(jitter) * Fraction(u)
    )
    if retry_after is not None and retry_after > exact:
        exact = max(exact, Fraction(min(retry_after, maximum)))
    assert policy.delay_after(failures, u, retry_after) == pytest.approx(float(exact))


def test_nothing_anywhere_means_one_attempt() -> None:
    assert resolve_retry_policy(None, None).max_attempts == 1


def test_the_document_overrides_the_type_field_by_field_and_defaults_fill_the_rest() -> None:
    document = PartialRetryPolicy(delay_ms=5, retry_on_timeout=False)
    of_type = PartialRetryPolicy(delay_ms=7, max_attempts=9)
    assert resolve_retry_policy(document, of_type) == RetryPolicy(delay_ms=5, max_attempts=9, retry_on_timeout=False)
    assert resolve_retry_policy(None, of_type) == RetryPolicy(delay_ms=7, max_attempts=9)
    assert resolve_retry_policy(document, None) == RetryPolicy(delay_ms=5, retry_on_timeout=False)
    assert resolve_retry_policy(PartialRetryPolicy(), None) == DEFAULT_RETRY_POLICY


def test_a_policy_is_read_from_json_and_written_as_it_was() -> None:
    problems: list[Problem] = []
    written = {"max_attempts": 5, "jitter": 0}
    policy = PartialRetryPolicy.read(written, "/p", problems)
    assert policy is not None
    assert (policy.to_json(), problems) == (written, [])
    assert PartialRetryPolicy.read(None, "/p", problems) is None
    PartialRetryPolicy.read({"jitter": -1}, "/p", problems)
    assert [problem.pointer for problem in problems] == ["/p/jitter"]
