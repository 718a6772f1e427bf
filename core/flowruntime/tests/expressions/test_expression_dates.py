"""What the functions over dates give, and where now() and uuid() come from."""

import uuid
from typing import Any

import pytest
from flowcore.errors import FatalNodeError
from flowruntime.authoring.functions import MOMENT, Moment
from flowruntime.expressions import BARE_ROOTS, CONFIG_ROOTS, ExpressionError, compile_expression, compile_value

START_US = 1_700_000_000_000_001


def value_of(text: str, data: Any = None) -> Any:
    return compile_expression(text, None)(data)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("date_add('2024-01-31T12:00:00Z', `1`, 'month')", "2024-02-29T12:00:00Z"),
        ("date_add('2024-02-29T12:00:00Z', `1`, 'year')", "2025-02-28T12:00:00Z"),
        ("date_add('2024-02-29T12:00:00Z', `-1`, 'months')", "2024-01-29T12:00:00Z"),
        ("date_add('2024-11-30T00:00:00Z', `1`, 'quarter')", "2025-02-28T00:00:00Z"),
        ("date_add('2024-12-31T23:59:59Z', `1`, 'second')", "2025-01-01T00:00:00Z"),
        ("date_add('2024-03-01', `-1`, 'Days')", "2024-02-29T00:00:00Z"),
        ("date_add('2024-03-01', `2`, 'weeks')", "2024-03-15T00:00:00Z"),
        ("date_add('2024-03-01T00:00:00+05:30', `90`, 'minutes')", "2024-03-01T01:30:00+05:30"),
        ("date_add('2024-03-01T00:00:00Z', `2.0`, 'hours')", "2024-03-01T02:00:00Z"),
        # Over the change to summer time: a day later at the same time, or 24 hours later.
        ("date_add('2024-03-30T12:00:00+01:00', `1`, 'day', 'Europe/Berlin')", "2024-03-31T12:00:00+02:00"),
        ("date_add('2024-03-30T12:00:00+01:00', `24`, 'hours', 'Europe/Berlin')", "2024-03-31T13:00:00+02:00"),
        ("date_add('2024-03-30T12:00:00+01:00', `1`, 'day')", "2024-03-31T12:00:00+01:00"),
        # A time that clocks never show is one as much later; of an hour that they show twice, the same one stays.
        ("date_add('2024-03-30T02:30:00+01:00', `1`, 'day', 'Europe/Berlin')", "2024-03-31T03:30:00+02:00"),
        ("date_add('2024-02-29T02:30:00+01:00', `31`, 'days', 'Europe/Berlin')", "2024-03-31T03:30:00+02:00"),
        ("date_add('2024-01-31T02:30:00+01:00', `2`, 'months', 'Europe/Berlin')", "2024-03-31T03:30:00+02:00"),
        ("date_add('2024-10-27T02:30:00+01:00', `0`, 'days', 'Europe/Berlin')", "2024-10-27T02:30:00+01:00"),
        ("date_add('2024-10-27T02:30:00+01:00', `0`, 'months', 'Europe/Berlin')", "2024-10-27T02:30:00+01:00"),
        ("date_add('2024-10-27T02:30:00+01:00', `-7`, 'months', 'Europe/Berlin')", "2024-03-27T02:30:00+01:00"),
        ("date_add('2024-10-27T02:30:00+02:00', `1`, 'hour', 'Europe/Berlin')", "2024-10-27T02:30:00+01:00"),
        ("date_add('0001-01-01T00:00:00+14:00', `1`, 'day')", "0001-01-02T00:00:00+14:00"),
        ("parse_date('31.03.2024 02:30', '%d.%m.%Y %H:%M', 'Europe/Berlin')", "2024-03-31T03:30:00+02:00"),
        ("parse_date('2024-03-31T02:30:00', '%Y-%m-%dT%H:%M:%S', 'Europe/Berlin')", "2024-03-31T03:30:00+02:00"),
        # RFC 3339 has no seconds in offsets.
        ("parse_date('2024-01-01T00:00:00+00:00:30')", "2023-12-31T23:59:30Z"),
        ("parse_date('01.01.1880', '%d.%m.%Y', 'Europe/Berlin')", "1879-12-31T23:06:32Z"),
        ("date_add('1880-01-01T00:00:00Z', `1`, 'day', 'Europe/Berlin')", "1880-01-02T00:00:00Z"),
        ("format_date('2024-02-29T23:30:00Z', '%d.%m.%Y %H:%M')", "29.02.2024 23:30"),
        ("format_date('2024-02-29T23:30:00Z', '%d.%m.%Y %H:%M %z', 'Europe/Berlin')", "01.03.2024 00:30 +0100"),
        ("format_date('2024-02-29T23:30:00+01:00', '%H')", "22"),
        ("format_date('2024-02-29', '%A, %B %j, 100%%')", "Thursday, February 060, 100%"),
        ("format_date('0900-01-01T00:00:00Z', '%Y, 100%%Y')", "0900, 100%Y"),
        ("parse_date('29.02.2024', '%d.%m.%Y')", "2024-02-29T00:00:00Z"),
        ("parse_date('29.02.2024 12:00', '%d.%m.%Y %H:%M', 'Europe/Berlin')", "2024-02-29T12:00:00+01:00"),
        ("parse_date('29/Feb/2024:12:00:00 -0500', '%d/%b/%Y:%H:%M:%S %z')", "2024-02-29T12:00:00-05:00"),
        ("parse_date('2024-02-29 12:00')", "2024-02-29T12:00:00Z"),
        ("parse_date('2024-02-29T12:00:00.25+01:00')", "2024-02-29T12:00:00.250000+01:00"),
        ("parse_date(`0`)", "1970-01-01T00:00:00Z"),
        ("parse_date(`1.5`)", "1970-01-01T00:00:01.500000Z"),
    ],
)
def test_a_function_gives(text: str, value: str) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("date_add('soon', `1`, 'day')", "date_add() cannot read argument 1: it is no RFC 3339 date"),
        ("date_add('2024-01-01', `1`, 'moon')", "date_add() does not know the unit in argument 3"),
        ("date_add('2024-01-01', `0.5`, 'day')", "date_add() takes a whole number as argument 2"),
        ("date_add('2024-01-01', `1`, 'day', 'Mars')", "date_add() does not know the time zone in argument 4"),
        ("date_add('2024-01-01', `1`, 'day', '../etc/passwd')", "does not know the time zone in argument 4"),
        ("date_add('2024-01-01', `9000`, 'years')", "date_add() gives a date beyond the years 1 to 9999"),
        ("date_add('2024-01-01', `9223372036854775807`, 'days')", "gives a date beyond the years 1 to 9999"),
        ("date_add('0001-01-01', `-1`, 'second')", "gives a date beyond the years 1 to 9999"),
        ("format_date('2024-01-01', 'yyyy-MM-dd')", "format_date() cannot use the pattern in argument 2"),
        ("date_add('0001-01-01', `0`, 'hours', 'America/New_York')", "gives a date beyond the years 1 to 9999"),
        ("date_add('9999-12-31T23:59:59Z', `0`, 'days', 'Europe/Berlin')", "gives a date beyond the years 1 to 9999"),
        ("parse_date('0001-01-01', '%Y-%m-%d', 'Asia/Tokyo')", "gives a date beyond the years 1 to 9999"),
        ("parse_date(`1700000000123`)", "parse_date() gives a date beyond the years 1 to 9999"),
        ("format_date('2024-01-01', '%Y\0%m')", "format_date() cannot use the pattern in argument 2"),
        ("format_date('2024-01-01', '%999999d')", "format_date() cannot use the pattern in argument 2"),
        ("format_date('2024-01-01', '%')", "format_date() cannot use the pattern in argument 2"),
        ("format_date('0001-01-01T00:00:00Z', '%Y', 'America/New_York')", "beyond the years 1 to 9999"),
        ("parse_date('x', '%d.%m.%Y')", "parse_date() cannot read argument 1: it does not fit the pattern"),
        ("parse_date('31.02.2024', '%d.%m.%Y')", "parse_date() cannot read argument 1: it does not fit the pattern"),
        ("parse_date(`1e300`)", "parse_date() gives a date beyond the years 1 to 9999"),
        ("parse_date(`null`)", "parse_date() takes string or number, and got null"),
    ],
)
def test_a_function_refuses(text: str, reason: str) -> None:
    with pytest.raises(FatalNodeError) as caught:
        value_of(text)
    assert caught.value.message.endswith(f"{reason}.")


def roots(node_id: str = "send", now_us: int = START_US) -> dict[Any, Any]:
    moment = Moment(now_us=now_us, execution_id="e1", path=(("loop", 3, 1),), node_id=node_id)
    return {"vars": {"list": [1, 2, 3]}, MOMENT: moment}


def test_now_is_the_moment_that_the_roots_hold() -> None:
    assert compile_expression("now()", BARE_ROOTS)(roots()) == "2023-11-14T22:13:20.000001Z"
    berlin = compile_expression("now('Europe/Berlin')", BARE_ROOTS)(roots())
    assert berlin == "2023-11-14T23:13:20.000001+01:00"


def test_uuid_is_the_same_in_every_attempt_and_another_in_each_place() -> None:
    written = {"a": "${{ uuid() }} ${{ uuid() }}", "b": ["${{ map(&uuid(), vars.list) }}", "${{ [uuid(), uuid()] }}"]}

    def made(node_id: str, now_us: int) -> list[str]:
        problems: list[Any] = []
        compiled = compile_value(written, pointer="/nodes/0/config", roots=CONFIG_ROOTS, problems=problems)
        assert problems == []
        value = compiled.resolve(roots(node_id, now_us))
        return [*value["a"].split(), *value["b"][0], *value["b"][1]]

    first = made("send", START_US)
    assert len(set(first)) == 7
    assert all(str(uuid.UUID(text)) == text for text in first)
    assert made("send", START_US + 5) == first
    assert set(made("other", START_US)).isdisjoint(first)


@pytest.mark.parametrize("text", ["now()", "uuid()"])
def test_without_a_moment_they_fail_and_say_why(text: str) -> None:
    with pytest.raises(FatalNodeError) as caught:
        value_of(text, {"now_us": 1})
    assert caught.value.message.endswith(f"{text} has no time and no node to answer from here.")


@pytest.mark.parametrize("text", ["MOMENT", "@", "*", "keys(@)", "values(@)", "to_string(@)", "[@]"])
def test_no_expression_can_name_the_moment(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(text, CONFIG_ROOTS)
