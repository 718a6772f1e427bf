"""Installs, updates and removes packs with uv or pip, in ways that cannot break what is installed."""

__all__: list[str] = []
