"""Rows of CSV and JSON lines go in and out, in pieces when there are many, and errors name their line."""

import csv
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import flownodes_files.rows
import pytest
from flownodes_files.lines import MAX_ROW_BYTES
from flownodes_files.read_csv import read_csv
from flownodes_files.read_json_lines import read_json_lines
from flownodes_files.write_csv import write_csv
from flownodes_files.write_json_lines import write_json_lines
from flowruntime.authoring import Blob, FatalNodeError

Run: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


async def rows(run: Run, content: Any, **config: Any) -> Any:
    return (await run(read_csv, {"content": content}, **config))["rows"]


async def test_a_file_a_text_and_a_blob_give_the_same_rows(run: Run, data: Path) -> None:
    text = 'name,said\nAda,"a ""b"", c\nd"\n'
    (data / "a.csv").write_text(text)
    wanted = [{"name": "Ada", "said": 'a "b", c\nd'}]
    assert (await run(read_csv, {"path": "a.csv"}))["rows"] == wanted
    assert await rows(run, text) == wanted
    assert await rows(run, Blob.from_bytes(text.encode())) == wanted


async def test_a_file_is_read_in_pieces(run: Run, data: Path) -> None:
    (data / "a.csv").write_text("n\n" + "".join(f"{number}\n" for number in range(5)))
    pieces, skip = [], 0
    while skip is not None:
        piece = await run(read_csv, {"path": "a.csv", "skip": skip}, limit=2)
        pieces.append([row["n"] for row in piece["rows"]])
        skip = piece["next"]
    assert pieces == [["0", "1"], ["2", "3"], ["4"]]
    assert (await run(read_csv, {"path": "a.csv", "skip": 9}))["rows"] == []


async def test_header_columns_and_dialect_are_said_by_the_config(run: Run) -> None:
    assert await rows(run, "a,b\n1,2\n", header=False) == [["a", "b"], ["1", "2"]]
    assert await rows(run, "a,b\n1,2\n", columns=["x", "y"]) == [{"x": "1", "y": "2"}]
    assert await rows(run, "a;b\n'1;2';3\n", delimiter=";", quote="'") == [{"a": "1;2", "b": "3"}]
    assert await rows(run, "a,b\n1\n2,3,4\n", ragged="fill") == [{"a": "1", "b": None}, {"a": "2", "b": "3"}]
    assert await rows(run, "a,b\r\n\r\n1,2\r\n") == [{"a": "1", "b": "2"}]
    assert await rows(run, "") == []
    assert await rows(run, "\n", columns=["x"]) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "windows-1252", "shift_jis"])
async def test_encodings_are_read(run: Run, data: Path, encoding: str) -> None:
    text = "name,value\n" + "".join(f"n{number},ソ表\n" for number in range(5000))
    if encoding == "windows-1252":
        text = text.replace("ソ表", "ü")
    (data / "a.csv").write_text(text, encoding=encoding)
    read = await run(read_csv, {"path": "a.csv"}, encoding=encoding, limit=5000)
    assert read["rows"] == list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("content", "config", "code", "said"),
    [
        (b"a,b\n1,2\n1\n", {}, "files.csv_width", "has 1 values in line 3, and 2 columns"),
        (b'a\n"1\n2\n', {}, "files.csv", "not CSV in line 3: unexpected end of data"),
        (b'a\n1\n"2"x\n', {}, "files.csv", "not CSV in line 3"),
        (b"a\r1\r", {}, "files.csv", "in line 1: a carriage return stands there that ends no line."),
        (b"a\n1\n\xff\n", {}, "files.encoding", "at byte 4, in line 3, is something else"),
        (
            "a\n1\n".encode("utf-16-le") + b"\x00\xd8\x31\x00",
            {"encoding": "utf-16-le"},
            "files.encoding",
            "at byte 8 is",
        ),
        (b"a\n1\0\n", {}, "files.nul", "a NUL, in line 2"),
        (b"a,a\n1,2\n", {}, "files.csv_columns", "two columns called 'a'"),
        (b"a,b\n1,2\n", {"columns": ["x"]}, "files.csv_columns", "has 2 columns, and `columns` names 1"),
        (b"a\n", {"delimiter": '"'}, "files.dialect", "cannot have"),
        (b"a\n", {"delimiter": "\n"}, "files.dialect", "cannot have"),
        (b"a\n" + b"x" * 200_000, {}, "files.csv", "larger than field limit"),
        (b"a\n" + b"x," * MAX_ROW_BYTES, {}, "files.row_too_large", "more than 1,048,576 bytes, at line 2"),
        (b"a\n" + b'"\n",' * MAX_ROW_BYTES, {}, "files.row_too_large", "more than 1,048,576 bytes, at line"),
    ],
)
async def test_what_is_wrong_with_csv_is_told_with_its_line(
    run: Run, content: bytes, config: dict[str, Any], *, code: str, said: str
) -> None:
    with pytest.raises(FatalNodeError) as raised:
        await rows(run, Blob.from_bytes(content), **config)
    assert (raised.value.code, said in raised.value.message) == (code, True), raised.value.message


async def test_rows_that_are_too_much_in_all_name_the_limit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flownodes_files.rows, "MAX_ROWS_BYTES", 100)
    with pytest.raises(FatalNodeError, match="more than 100 bytes of JSON, after 1 of them") as raised:
        await rows(run, "a\n" + "x" * 60 + "\n" + "y" * 60 + "\n")
    assert raised.value.code == "files.too_large"


async def test_exactly_one_source_is_wanted(run: Run) -> None:
    for node in (read_csv, read_json_lines):
        for inputs in ({}, {"path": "a", "content": "b"}):
            with pytest.raises(FatalNodeError) as raised:
                await run(node, inputs)
            assert raised.value.code == "files.source"
        with pytest.raises(FatalNodeError) as raised:
            await run(node, {"content": 3})
        assert raised.value.code == "files.content"


# --- JSON lines -------------------------------------------------------------------------------------


async def test_json_lines_are_read_in_pieces(run: Run, data: Path) -> None:
    (data / "a.jsonl").write_text('{"n": 1}\n\n[2]\r\n"three"')
    first = await run(read_json_lines, {"path": "a.jsonl"}, limit=2)
    assert first == {"rows": [{"n": 1}, [2]], "count": 2, "next": 2}
    rest = await run(read_json_lines, {"path": "a.jsonl", "skip": 2})
    assert rest == {"rows": ["three"], "count": 1, "next": None}


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b'{}\n{"a": NaN}\n', "files.json", "not JSON in line 2 at /a: NaN"),
        (b"{}\n\n{]\n", "files.json", "in line 3: Not JSON"),
        (b"{}\n\xff\n", "files.encoding", "at byte 3, in line 2,"),
        (b'"' + b"x" * MAX_ROW_BYTES + b'"', "files.row_too_large", "at line 1"),
    ],
)
async def test_what_is_wrong_with_json_lines_is_told_with_its_line(
    run: Run, content: bytes, code: str, said: str
) -> None:
    with pytest.raises(FatalNodeError) as raised:
        await run(read_json_lines, {"content": Blob.from_bytes(content)})
    assert (raised.value.code, said in raised.value.message) == (code, True), raised.value.message


async def test_json_lines_are_written_and_come_back(run: Run, data: Path) -> None:
    values = [{"a": "ü\n"}, [1, None], "text", 1.5, *range(2000)]
    wrote = await run(write_json_lines, {"rows": values, "path": "a.jsonl"})
    assert (wrote["count"], wrote["size"]) == (2004, (data / "a.jsonl").stat().st_size)
    assert (await run(read_json_lines, {"path": "a.jsonl"}, limit=5000))["rows"] == values
    blob = (await run(write_json_lines, {"rows": values}))["content"]
    assert (blob.read(), blob.media_type) == ((data / "a.jsonl").read_bytes(), "application/jsonl")


# --- writing CSV ------------------------------------------------------------------------------------


async def written(run: Run, listed: Any, **config: Any) -> str:
    content: Blob = (await run(write_csv, {"rows": listed}, **config))["content"]
    return content.read().decode()


async def test_values_become_texts(run: Run) -> None:
    listed = [{"a": 'x,"y"', "b": None}, {"c": True, "a": 1.5, "b": [1, {"d": "ü"}]}]
    assert await written(run, listed) == 'a,b,c\n"x,""y""",,\n1.5,"[1,{""d"":""ü""}]",true\n'
    assert await written(run, [["a", 1], ["b", 2]], delimiter=";", line_end="crlf") == "a;1\r\nb;2\r\n"
    assert await written(run, listed, columns=["c", "b"], header=False) == ',\ntrue,"[1,{""d"":""ü""}]"\n'
    assert await written(run, [{"a": "b"}], quoting="all") == '"a"\n"b"\n'
    assert await written(run, []) == ""


async def test_formulas_of_strangers_are_guarded_when_asked_for(run: Run) -> None:
    listed = [{"a": "=HYPERLINK(1)", "b": -1, "c": "safe"}]
    assert await written(run, listed, guard_formulas=True) == "a,b,c\n'=HYPERLINK(1),-1,safe\n"
    assert await written(run, listed) == "a,b,c\n=HYPERLINK(1),-1,safe\n"


async def test_a_header_stands_once_in_a_file_that_is_appended_to(run: Run, data: Path) -> None:
    for number in (1, 2):
        await run(write_csv, {"rows": [{"n": number}], "path": "a.csv"}, mode="append", encoding="utf-8-sig")
    assert (data / "a.csv").read_bytes() == b"\xef\xbb\xbfn\n1\n2\n"
    assert (await run(read_csv, {"path": "a.csv"}))["rows"] == [{"n": "1"}, {"n": "2"}]
    for number in (1, 2):
        await run(write_csv, {"rows": [{"n": number}], "path": "b.csv"}, mode="append", encoding="utf-16")
    assert (await run(read_csv, {"path": "b.csv"}, encoding="utf-16"))["rows"] == [{"n": "1"}, {"n": "2"}]


async def test_rows_that_are_added_stand_under_the_columns_of_the_file(run: Run, data: Path) -> None:
    for encoding in ("utf-8", "utf-16"):
        (data / "a.csv").write_bytes("name;age\r\nAda;36\r\n".encode(encoding))
        said = {"mode": "append", "delimiter": ";", "encoding": encoding}
        await run(write_csv, {"rows": [{"age": 85, "name": "Grace"}, {"age": 41}], "path": "a.csv"}, **said)
        assert (data / "a.csv").read_text(encoding=encoding) == "name;age\nAda;36\nGrace;85\n;41\n"
        before = (data / "a.csv").read_bytes()
        with pytest.raises(FatalNodeError) as raised:
            await run(write_csv, {"rows": [{"name": "Alan", "born": 1912}], "path": "a.csv"}, **said)
        assert (raised.value.code, raised.value.details["missing"]) == ("files.csv_columns", ["born"])
        assert (data / "a.csv").read_bytes() == before
        await run(
            write_csv, {"rows": [{"name": "Alan", "born": 1912}], "path": "a.csv"}, columns=["name", "age"], **said
        )
        assert (data / "a.csv").read_text(encoding=encoding).endswith("\nAlan;\n")


async def test_rows_are_never_glued_to_a_line_without_an_end(run: Run, data: Path) -> None:
    for name, node, encoding in [
        ("a.csv", write_csv, "utf-8"),
        ("b.csv", write_csv, "utf-16"),
        ("c.jsonl", write_json_lines, "utf-8"),
    ]:
        (data / name).write_text("n\n1", encoding=encoding)
        said = {"encoding": encoding} if node is write_csv else {}
        for number in (2, 3):
            await run(node, {"rows": [[number]], "path": name}, mode="append", **said)
        wanted = "n\n1\n2\n3\n" if node is write_csv else "n\n1\n[2]\n[3]\n"
        assert (data / name).read_text(encoding=encoding) == wanted


async def test_many_rows_come_back_as_they_were(run: Run) -> None:
    listed = [{"a": f"{number},\n\"'", "b": "ü" * (number % 50)} for number in range(2000)]
    content = (await run(write_csv, {"rows": listed}))["content"]
    assert (await run(read_csv, {"content": content}, limit=5000))["rows"] == listed
    ends = [{"a": text, "b": ""} for text in ("x\ry", "\r", "x\r", "\n", "x\r\n")]
    for line_end in ("lf", "crlf"):
        content = (await run(write_csv, {"rows": ends}, line_end=line_end))["content"]
        assert (await run(read_csv, {"content": content}))["rows"] == ends
    wide = (await run(write_csv, {"rows": listed}, encoding="utf-16"))["content"]
    assert (await run(read_csv, {"content": wide}, limit=5000, encoding="utf-16"))["rows"] == listed


async def test_rows_that_are_none_leave_the_old_file(run: Run, data: Path) -> None:
    (data / "a.csv").write_text("old")
    for listed, config, code in [
        ("text", {}, "files.rows"),
        ([{"a": 1}, "text"], {}, "files.rows"),
        ([{"a": "☃"}], {"encoding": "latin-1"}, "files.encoding"),
    ]:
        with pytest.raises(FatalNodeError) as raised:
            await run(write_csv, {"rows": listed, "path": "a.csv"}, **config)
        assert raised.value.code == code
    assert contents(data) == {"a.csv": "old"}
