"""Checks that changing values in a JSON text leaves the rest of the text alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flowruntime.upgrading import patch_json, same_json
from hypothesis import given
from hypothesis import strategies as st

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=4)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from('abc"\\é'), inner, max_size=4),
    max_leaves=12,
)
STYLES: list[dict[str, Any]] = [
    {},
    {"indent": 2},
    {"indent": "\t"},
    {"separators": (",", ":")},
    {"indent": 1, "ensure_ascii": False},
    {"indent": 3, "separators": (" ,", " : ")},
]


@given(JSON, JSON, st.sampled_from(STYLES))
def test_the_changed_text_is_that_of_the_new_value(old: Any, new: Any, style: dict[str, Any]) -> None:
    text = json.dumps(old, **style)
    assert same_json(json.loads(patch_json(text, old, new)), new)


@given(JSON, st.sampled_from(STYLES), st.sampled_from(["", " ", "\n", "\r\n\t"]))
def test_the_same_value_leaves_the_text_as_it_is(value: Any, style: dict[str, Any], around: str) -> None:
    text = f"{around}{json.dumps(value, **style)}{around}"
    assert patch_json(text, value, json.loads(text)) == text


@pytest.mark.parametrize(
    ("text", "new", "patched"),
    [
        ('{"a": 1, "b": 2}', {"a": 1, "b": 3}, '{"a": 1, "b": 3}'),
        ('{"a" : 1.50 ,"b":\t2 }', {"a": 1.5, "b": 3}, '{"a" : 1.50 ,"b":\t3 }'),
        ('{"a": "\\u0041", "b": 2}', {"a": "A", "b": None}, '{"a": "\\u0041", "b": null}'),
        ('{"a": 1}', {"a": 1, "b": 2}, '{"a": 1, "b": 2}'),
        ('{"a":1}', {"a": 1, "b": [2, 3]}, '{"a":1,"b":[2,3]}'),
        ('{"a": 1, "c": 3}', {"a": 1, "b": 2, "c": 3}, '{"a": 1, "b": 2, "c": 3}'),
        ('{"old": 1, "c": 3}', {"new": 1, "c": 3}, '{"new": 1, "c": 3}'),
        ('{"a": 1, "b": 2, "c": 3}', {"a": 1, "c": 3}, '{"a": 1, "c": 3}'),
        ('{"a": 1, "b": 2}', {"b": 2}, '{"b": 2}'),
        ('{"a": 1, "b": 2}', {"a": 1}, '{"a": 1}'),
        ('{"a": {}}', {"a": {"b": 1}}, '{"a": {"b": 1}}'),
        ('{"a": {"b": 1}}', {"a": {}}, '{"a": {}}'),
        ("[1, [2,  3]]", [1, [2, 4]], "[1, [2,  4]]"),
        ('{\n    "a": 1\n}\n', {"a": 1, "b": {"c": 2}}, '{\n    "a": 1,\n    "b": {\n        "c": 2\n    }\n}\n'),
        ('{\n  "a": [1]\n}', {"a": [1], "b": {"c": 2}}, '{\n  "a": [1],\n  "b": {"c": 2}\n}'),
        ('{\r\n  "a": {\r\n    "b": 1\r\n  }\r\n}', {"a": [1]}, '{\r\n  "a": [\r\n    1\r\n  ]\r\n}'),
        ('\ufeff{"a": 1}', {"a": 2}, '\ufeff{"a": 2}'),
        ('{"a": true}', {"a": 1}, '{"a": 1}'),
        ('{"a": 1}', {"a": 1.0}, '{"a": 1.0}'),
    ],
)
def test_every_other_byte_stays(text: str, new: Any, patched: str) -> None:
    assert patch_json(text, json.loads(text.removeprefix("\ufeff")), new) == patched
