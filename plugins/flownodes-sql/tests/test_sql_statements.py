"""Where the parameters of a statement stand, and that nothing else counts as one."""

import pytest
from flowcore.errors import FatalNodeError
from flownodes_sql.statements import read_statement
from sqlalchemy.dialects import postgresql, sqlite


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("SELECT :a, :b, :a", ("a", "b")),
        ("SELECT :a::int", ("a",)),
        ("SELECT ':a', \":b\", `:c`, 'it''s :d', :e", ("e",)),
        ("SELECT E'it\\'s :a', :b", ("b",)),
        ("SELECT 1 -- :a\n, :b /* :c */", ("b",)),
        ("SELECT $$ :a $$, $x$ :b $$ :c $x$, :d", ("d",)),
        ("SELECT '{\"k\" :v}'::jsonb, list[1:2], '12:30'", ()),
        ("SELECT :größe", ("größe",)),
    ],
)
def test_parameters_are_found_where_values_may_stand(statement: str, names: tuple[str, ...]) -> None:
    assert read_statement(statement).names == names


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT '{\"k\" :v}'::jsonb",
        "SELECT a::text, x[1:2], '\\:y', ':z' FROM t WHERE b LIKE '%:c%' AND d % 2 = 0",
        "SELECT E'\\:x', '::', \"a:b\" -- :c",
    ],
)
def test_everything_else_reaches_the_database_as_it_is_written(statement: str) -> None:
    clause = read_statement(statement).clause
    assert str(clause.compile(dialect=sqlite.dialect())) == statement
    doubled = str(clause.compile(dialect=postgresql.psycopg.dialect()))  # type: ignore[no-untyped-call]
    assert doubled % {} == statement  # as the driver reads it


def test_the_first_word_is_found_behind_comments_and_brackets() -> None:
    assert read_statement("-- all\n/* of\nthem */ (select 1)").verb == "SELECT"


def test_missing_values_are_named_all_at_once() -> None:
    with pytest.raises(FatalNodeError, match="gives no value for: :b, :c") as raised:
        read_statement("SELECT :a, :b, :c").values({"a": 1, "surplus": 2})
    assert raised.value.code == "sql.parameters"
