"""Secrets: named texts that appear in no event, log or error, and the places where they come from."""

from __future__ import annotations

from flowruntime.secrets.collected import SecretMissing, Secrets
from flowruntime.secrets.limiting import LimitedProvider
from flowruntime.secrets.providers import ENVIRONMENT_PREFIX, EnvironmentSecrets, SecretProvider, is_secret_name
from flowruntime.secrets.redaction import Net
from flowruntime.secrets.secret import Secret

__all__ = [
    "ENVIRONMENT_PREFIX",
    "EnvironmentSecrets",
    "LimitedProvider",
    "Net",
    "Secret",
    "SecretMissing",
    "SecretProvider",
    "Secrets",
    "is_secret_name",
]
