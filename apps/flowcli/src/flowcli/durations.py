"""Writes durations for people."""

from __future__ import annotations

__all__ = ["duration_text"]

_SECOND_MS = 1000
_MINUTE_MS = 60 * _SECOND_MS
_HOUR_MS = 60 * _MINUTE_MS


def duration_text(duration_ms: float) -> str:
    """A duration as precise as it needs to be.

    >>> [duration_text(ms) for ms in (0.4, 210.3, 1250, 30_000, 125_000, 7_200_000)]
    ['0.4 ms', '210 ms', '1.2 s', '30 s', '2 min 5 s', '2 h']
    """
    if duration_ms < 10:  # noqa: PLR2004 - below it a digit more is worth its place
        return f"{duration_ms:.1f} ms"
    if duration_ms < _SECOND_MS:
        return f"{duration_ms:.0f} ms"
    if duration_ms < _MINUTE_MS:
        seconds = f"{duration_ms / _SECOND_MS:.1f}".removesuffix(".0")
        return f"{seconds} s"
    large, small, part_ms = ("h", "min", _MINUTE_MS) if duration_ms >= _HOUR_MS else ("min", "s", _SECOND_MS)
    whole, rest = divmod(int(duration_ms // part_ms), 60)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"
