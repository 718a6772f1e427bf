"""Reads the files that stand in a document as `{"file": PATH}` for the documents inside it."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flowcore.documents import file_of, sort_problems
from flowcore.errors import Problem, ProblemList
from flowcore.schemas import X_WORKFLOW, fields_marked
from flowcore.values import MAX_DOCUMENT_BYTES, did_you_mean, kind_of, pointer_of, read_json, untag_object

from flowruntime.plan import TypeSource

__all__ = ["Embedded", "embed_files"]

#: How deep files may stand in files.
_MAX_DEPTH: Final = 16
#: What a file that could not be read is told as by the check afterwards.
_UNREAD: Final = "workflow.file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A document with the files in it read, and what kept some of them from being read."""

    document: str | bytes | dict[str, Any]
    problems: tuple[Problem, ...]

    def with_problems(self, found: Iterable[Problem]) -> tuple[Problem, ...]:
        """The problems of the files and those that a check of `document` found, each place told once."""
        places = {problem.pointer for problem in self.problems}
        others = [problem for problem in found if problem.code != _UNREAD or problem.pointer not in places]
        return tuple(sort_problems([*self.problems, *others]))


def embed_files(source: str | bytes | dict[str, Any], folder: Path, types: TypeSource) -> Embedded:
    """Put documents in the place of the files that are named in config fields for documents, at any depth.

    A path is relative to the folder of the file that it stands in, `folder` for the document itself. Files may hold
    files, 16 deep, not in circles and 8 MiB in all. What is wrong with the document otherwise is passed over: a
    check of it tells that.
    """
    document = read_json(source).value if isinstance(source, str | bytes) else source
    embedding = _Embedding(types)
    made = embedding.in_document(document, _Place(pointer="", folder=folder, files=()))
    return Embedded(document=source if made is document else made, problems=tuple(embedding.problems.told()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a document or a part of it stands: in the whole document, and on the disk."""

    pointer: str
    folder: Path
    #: The files that it stands in, the outermost first.
    files: tuple[Path, ...]

    def at(self, *steps: str | int) -> _Place:
        return _Place(pointer=self.pointer + pointer_of(*steps), folder=self.folder, files=self.files)


class _UnreadableError(Exception):
    """A file cannot be used; the arguments are those of the problem."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        self.problem = (code, message, remedy)
        super().__init__(message)


class _Embedding:
    def __init__(self, types: TypeSource) -> None:
        self.types = types
        self.problems = ProblemList()
        self.size_bytes = 0
        #: The config schemas with fields for documents, None for the others.
        self._schemas: dict[tuple[str, int | None], Any] = {}

    def in_document(self, document: Any, place: _Place) -> Any:
        """The document itself when there is nothing to be read in it."""
        nodes = document.get("nodes") if isinstance(document, dict) else None
        if not isinstance(nodes, list):
            return document
        made = [self._in_node(node, place.at("nodes", index)) for index, node in enumerate(nodes)]
        same = all(new is old for new, old in zip(made, nodes, strict=True))
        return document if same else {**document, "nodes": made}

    def _in_node(self, node: Any, place: _Place) -> Any:
        if not isinstance(node, dict) or not isinstance(node.get("config"), dict):
            return node
        schema = self._schema(node.get("node_type"), node.get("type_version"))
        if schema is None:
            return node
        faults: list[Problem] = []
        plain = untag_object(node["config"], "", faults)
        if faults:
            return node
        config: Any = plain
        for steps in fields_marked(schema, X_WORKFLOW, plain):
            value = _at(plain, steps)
            made = self._in_field(value, place.at("config", *steps))
            if made is not value:
                config = _replaced(config, steps, made)
        return node if config is plain else {**node, "config": config}

    def _in_field(self, value: Any, place: _Place) -> Any:
        file = file_of(value)
        if file is None:
            return self.in_document(value, place)
        try:
            path = place.folder / file
            document = self._read(path, place)
        except _UnreadableError as error:
            code, message, remedy = error.problem
            self.problems.append(Problem(code=code, pointer=place.pointer, message=message, remedy=remedy))
            return value
        inner = _Place(pointer=place.pointer, folder=path.parent, files=(*place.files, path))
        return self.in_document(document, inner)

    def _read(self, path: Path, place: _Place) -> dict[str, Any]:
        """The document in the file, as it stands there."""
        content = _content(path)
        _check_chain(path, place.files)
        self.size_bytes += len(content)
        if self.size_bytes > MAX_DOCUMENT_BYTES:
            limit = f"{MAX_DOCUMENT_BYTES / 1048576:g} MiB"
            raise _UnreadableError(
                "file.too_large",
                f"With {str(path)!r} the files in this document have more than {limit}.",
                "Name workflows of the library instead, which are kept once.",
            )
        parsed = read_json(content)
        for problem in parsed.problems:
            where = f" at {problem.pointer}" if problem.pointer else ""
            raise _UnreadableError(problem.code, f"In the file {str(path)!r}{where}: {problem.message}", problem.remedy)
        if not isinstance(parsed.value, dict):
            raise _UnreadableError(
                "workflow.form",
                f"The file {str(path)!r} holds {kind_of(parsed.value)}, not a workflow.",
                'A workflow is an object: {"name": …, "nodes": […]}.',
            )
        return parsed.value

    def _schema(self, type_id: Any, version: Any) -> Any:
        if not isinstance(type_id, str) or not (version is None or type(version) is int):
            return None
        key = (type_id, version)
        if key not in self._schemas:
            node_type = self.types.get(type_id, version)
            schema = None if node_type is None else node_type.config_schema
            self._schemas[key] = schema if X_WORKFLOW in repr(schema) else None
        return self._schemas[key]


def _check_chain(path: Path, files: tuple[Path, ...]) -> None:
    resolved = path.resolve()
    for index, outer in enumerate(files):
        if outer.resolve() == resolved:
            circle = " → ".join(repr(str(file)) for file in (*files[index:], path))
            raise _UnreadableError(
                "file.cycle",
                f"The files hold each other in a circle: {circle}.",
                "Take one of them out; for a recursion name a workflow of the library.",
            )
    if len(files) >= _MAX_DEPTH:
        raise _UnreadableError(
            "file.depth",
            f"The file {str(path)!r} stands in {len(files)} others; the limit is {_MAX_DEPTH}.",
            "Name a workflow of the library in one of them.",
        )


def _content(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _UnreadableError(
                "file.irregular", f"{str(path)!r} is no regular file.", "Name a file with a workflow."
            )
        if status.st_size > MAX_DOCUMENT_BYTES:
            size, limit = f"{status.st_size / 1048576:.1f} MiB", f"{MAX_DOCUMENT_BYTES / 1048576:g} MiB"
            raise _UnreadableError(
                "file.too_large",
                f"{str(path)!r} has {size}; the limit of a file with a workflow is {limit}.",
                "Keep data out of it, or split the workflow.",
            )
        return path.read_bytes()
    except FileNotFoundError:
        near = did_you_mean(path.name, _names_beside(path))
        remedy = near or "Write the path relative to the file that it stands in."
        raise _UnreadableError("file.missing", f"There is no file {str(path)!r}.", remedy) from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise _UnreadableError(
            "file.unreadable", f"The file {str(path)!r} cannot be read: {reason}.", "Make it readable, or name another."
        ) from error


def _names_beside(path: Path) -> list[str]:
    try:
        return sorted(other.name for other in path.parent.iterdir() if other.suffix == ".json")
    except OSError:
        return []


def _at(value: Any, steps: Iterable[str | int]) -> Any:
    for step in steps:
        value = value[step]
    return value


def _replaced(value: Any, steps: tuple[str | int, ...], part: Any) -> Any:
    """A copy of the value with another part at that place."""
    if not steps:
        return part
    made = value.copy()
    made[steps[0]] = _replaced(value[steps[0]], steps[1:], part)
    return made
