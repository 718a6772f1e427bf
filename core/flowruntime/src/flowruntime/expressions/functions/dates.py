"""Functions over dates, which are RFC 3339 texts: `2024-02-29T12:00:00+01:00`."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, TypeVar

from flowruntime.authoring.functions import Call, ExpressionFunction, FunctionError

__all__ = ["FUNCTIONS"]

T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
_DAYS: Final = {"day": 1, "week": 7}
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}
_UNITS: Final = "seconds, minutes, hours, days, weeks, months, quarters or years"
#: What strftime and strptime of every platform understand alike; names are English. They stop at a NUL.
_DIRECTIVES: Final = "aAbBdfHIjmMpSyYz%"
#: Possessive: what may be taken back is remembered, at a hundred bytes a letter.
_PATTERN: Final = re.compile(rf"(?=.*%)(?:[^%\0]++|%[{_DIRECTIVES}])*+", re.DOTALL)
#: So many characters of a pattern that is read count as one step: strptime makes a regular expression of it.
_READ_PER_STEP: Final = 4


def _now(call: Call, zone: str = "UTC") -> str:
    moment = _EPOCH + timedelta(microseconds=call.moment.now_us)
    return _written(moment.astimezone(_zone(zone, 1)))


def _date_add(date: str, amount: float, unit: str, zone: str | None = None) -> str:
    if amount % 1:
        raise FunctionError("takes a whole number as argument 2", "Use a smaller unit.")
    given = _read(date, 1)
    place = given.tzinfo if zone is None else _zone(zone, 4)
    name = unit.lower().removesuffix("s")

    def add() -> datetime:
        count = int(amount)
        start = given.astimezone(place)
        if name in _SECONDS:
            # The time that passes: in a zone, an hour later may show the same hour again.
            return (start.astimezone(UTC) + timedelta(seconds=count * _SECONDS[name])).astimezone(start.tzinfo)
        if name in _DAYS:
            # Of an hour that clocks show twice, the same one again: adding would take the first.
            return _existing((start + timedelta(days=count * _DAYS[name])).replace(fold=start.fold))
        if name in _MONTHS:
            return _existing(_add_months(start, count * _MONTHS[name]))
        raise FunctionError("does not know the unit in argument 3", f"Write {_UNITS}.")

    return _written(_in_range(add))


def _add_months(start: datetime, count: int) -> datetime:
    """The same day so many months later, or the last of a month that is shorter."""
    year, month = divmod(start.year * 12 + start.month - 1 + count, 12)
    if not 1 <= year <= 9999:  # noqa: PLR2004 - the years that a datetime may have
        raise OverflowError
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day)


def _existing(moment: datetime) -> datetime:
    """Itself, or as much later as clocks are put forward at a time that they never show."""
    shown = moment.replace(fold=0).astimezone(UTC).astimezone(moment.tzinfo)
    return moment if shown.replace(tzinfo=None) == moment.replace(tzinfo=None) else shown


def _format_date(date: str, pattern: str, zone: str = "UTC") -> str:
    _check_pattern(pattern, 2)
    moment = _in_range(lambda: _read(date, 1).astimezone(_zone(zone, 3)))
    # strftime would give a year before 1000 without its zeros.
    return moment.strftime(re.sub("(%%)|%Y", lambda found: found[1] or f"{moment.year:04}", pattern))


def _formatted_length(_date: str, pattern: str, _zone: str = "UTC") -> int:
    return len(pattern) + 16 * pattern.count("%")


def _parse_date(text: str | float, pattern: str | None = None, zone: str = "UTC") -> str:
    place = _zone(zone, 3)
    if not isinstance(text, str):
        try:
            return _written((_EPOCH + timedelta(seconds=text)).astimezone(place))
        except (OverflowError, ValueError):
            raise FunctionError(
                "gives a date beyond the years 1 to 9999",
                "It counts seconds: write div(VALUE, `1000`) for milliseconds.",
            ) from None
    if pattern is None:
        moment = _read(text, 1, place)
    else:
        _check_pattern(pattern, 2)
        try:
            moment = datetime.strptime(text, pattern)  # noqa: DTZ007 - the zone is added below
        except (ValueError, re.error):
            raise FunctionError("cannot read argument 1: it does not fit the pattern", _see_directives()) from None
        if moment.tzinfo is None:
            moment = _in_range(lambda: _existing(moment.replace(tzinfo=place)))
    return _written(moment)


def _read(text: str, argument: int, zone: tzinfo = UTC) -> datetime:
    """A date as RFC 3339 or ISO 8601 have it. Without an offset it is one of the zone."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise FunctionError(
            f"cannot read argument {argument}: it is no RFC 3339 date",
            "Write it as '2024-02-29T12:00:00Z', or read it with parse_date(text, '%d.%m.%Y').",
        ) from None
    return moment if moment.tzinfo is not None else _in_range(lambda: _existing(moment.replace(tzinfo=zone)))


def _written(moment: datetime) -> str:
    offset = moment.utcoffset()
    if not offset:
        return moment.replace(tzinfo=None).isoformat() + "Z"
    # RFC 3339 has no seconds in offsets, as zones had before there were any.
    return (
        moment.isoformat() if not offset % timedelta(minutes=1) else _written(_in_range(lambda: moment.astimezone(UTC)))
    )


def _zone(name: str, argument: int) -> tzinfo:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # unknown, the name of a folder, no name of a file
        raise FunctionError(
            f"does not know the time zone in argument {argument}", "Write one such as 'Europe/Berlin'."
        ) from None


def _check_pattern(pattern: str, argument: int) -> None:
    if not _PATTERN.fullmatch(pattern):
        raise FunctionError(f"cannot use the pattern in argument {argument}", _see_directives())


def _see_directives() -> str:
    letters = " ".join(f"%{letter}" for letter in _DIRECTIVES)
    return f"Write it with the directives of strftime, such as '%Y-%m-%d %H:%M:%S'; there are {letters}."


def _in_range(make: Callable[[], T]) -> T:
    try:
        return make()
    except (OverflowError, ValueError):
        raise FunctionError("gives a date beyond the years 1 to 9999", "Check the amount.") from None


FUNCTIONS: Final = (
    ExpressionFunction(
        name="now",
        function=_now,
        arguments=(("string",),),
        optional=1,
        takes_call=True,
        description="When the node first started: the same in each of its attempts. The argument is a time zone.",
    ),
    ExpressionFunction(
        name="date_add",
        function=_date_add,
        arguments=(("string",), ("number",), ("string",), ("string",)),
        optional=1,
        description=f"A date so many {_UNITS} later; days and longer keep the time of the day in the zone, if given.",
    ),
    ExpressionFunction(
        name="format_date",
        function=_format_date,
        arguments=(("string",), ("string",), ("string",)),
        optional=1,
        size=_formatted_length,
        description="A date by a pattern of strftime, in UTC or the time zone given.",
    ),
    ExpressionFunction(
        name="parse_date",
        function=_parse_date,
        arguments=(("string", "number"), ("string",), ("string",)),
        optional=2,
        steps=lambda _text, pattern="", _zone="": len(pattern) // _READ_PER_STEP,
        description="A date from a text, by a pattern of strftime or as ISO 8601 has it, or from seconds since 1970.",
    ),
)
