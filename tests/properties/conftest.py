"""A profile that looks long: `pytest tests/properties --hypothesis-profile=thorough`."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "thorough", max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
