"""Parses as jmespath does, and keeps at which column each call of a function and each slice stands."""

from __future__ import annotations

from typing import Any

from jmespath.parser import Parser

__all__ = ["parse_with_columns"]


def parse_with_columns(text: str) -> Any:
    """The tree of the expression. Raises what jmespath raises."""
    return _Parser().parse(text).parsed


class _Parser(Parser):
    # jmespath keeps what it has parsed, for all parsers together: those trees have no columns.
    _CACHE: dict[str, Any] = {}  # noqa: RUF012 - bounded by jmespath

    def _token_nud_unquoted_identifier(self, token: Any) -> Any:
        field: Any = super()._token_nud_unquoted_identifier(token)  # type: ignore[misc]
        if self._current_token() == "lparen":  # type: ignore[attr-defined]
            field["column"] = token["start"]
        return field

    def _parse_slice_expression(self) -> Any:
        column = self._lookahead_token(0)["start"]  # type: ignore[attr-defined]
        part: Any = super()._parse_slice_expression()  # type: ignore[misc]
        part["column"] = column
        return part

    def _token_led_lparen(self, left: Any) -> Any:
        call: Any = super()._token_led_lparen(left)  # type: ignore[misc]
        call["column"] = left.get("column", 0)
        return call
