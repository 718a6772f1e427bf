"""Runs Flownodes workflows."""

__all__: list[str] = []
