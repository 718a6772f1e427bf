"""Measures the engine against the same work written by hand on asyncio: `python -m benchmarks --help`."""
