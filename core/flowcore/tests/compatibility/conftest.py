"""A profile that looks long: `pytest core/flowcore/tests/compatibility --hypothesis-profile=thorough-schemas`."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "thorough-schemas", max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
