"""Surveys the installed packs: the dear path, taken when no snapshot of an earlier survey holds."""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from flowcore import __version__
from flowcore.errors import PackError
from flowcore.packs import CATALOG_FILE, Catalog, Pack, PackProblem, Stage
from flowcore.values import write_json

from flowruntime.registry.cache_files import keep_newest, read_file, write_file
from flowruntime.registry.catalogs import catalog_text, read_catalog
from flowruntime.registry.discovery import Record, choose_packs, find_packs, locate_package
from flowruntime.registry.inspection import inspect_package
from flowruntime.registry.places import absolute_path
from flowruntime.registry.plugins import find_plugins
from flowruntime.registry.settings import PackSettings, read_settings
from flowruntime.registry.snapshot import Snapshot, Stamp, snapshot_text, stamp_of

__all__ = ["take_survey"]

#: A snapshot belongs to one interpreter, search path and settings file.
_KEPT_SNAPSHOTS = 50
#: An inspected catalog belongs to one state of a package's sources.
_KEPT_INSPECTIONS = 200


def take_survey(
    *,
    search_path: Sequence[str] | None,
    settings: PackSettings | None,
    settings_file: str | None,
    cache: str | None,
    key: str,
    inspect_timeout_seconds: float,
) -> Snapshot:
    """Survey the packs on the search path. The file `cache`, if there is one, keeps the snapshot for `key`.

    The settings are given, or are read from the settings file and the environment.
    """
    stamps: dict[str, Stamp] = {}
    if settings_file is not None:
        stamps[settings_file] = stamp_of(settings_file)
    if settings is None:
        settings = read_settings(Path(settings_file) if settings_file is not None else None)
    file = Path(cache) if cache is not None else None
    survey = _Survey(
        search_path=search_path,
        settings=settings,
        cache=file.parent if file is not None else None,
        inspect_timeout_seconds=inspect_timeout_seconds,
        stamps=stamps,
    )
    snapshot = survey.take()
    if file is not None and survey.lasting:
        write_file(file, snapshot_text(key, stamps, snapshot))
        keep_newest(file.parent, "packs-*", _KEPT_SNAPSHOTS)
    return snapshot


class _Survey:
    """One look at every installed pack. `cache` keeps what inspections found; None keeps nothing.

    `stamps` is filled with the files that the snapshot rests on, each stamped before it is read. Afterwards
    `lasting` is false when an inspection failed: the next one may succeed without a change to any file.
    """

    def __init__(
        self,
        *,
        search_path: Sequence[str] | None,
        settings: PackSettings,
        cache: Path | None,
        inspect_timeout_seconds: float,
        stamps: dict[str, Stamp],
    ) -> None:
        self.lasting = True
        self._stamps = stamps
        self._search_path = search_path
        self._path = absolute_path(search_path)
        self._settings = settings
        self._inspected = cache / "inspected" if cache is not None else None
        self._timeout_seconds = inspect_timeout_seconds

    def take(self) -> Snapshot:
        """The snapshot. Whatever is wrong with a pack is a record in it, never an error."""
        importlib.invalidate_caches()  # or what was installed a moment ago may not be found
        for entry in self._path:
            self._stamp(entry)
        packs, records = find_packs(self._path)
        choice = choose_packs(packs, self._settings)
        records += choice.records
        usable: list[Pack] = []
        types: list[tuple[list[Any], bytes]] = []
        for pack in choice.packs:
            problems: list[PackProblem] = []
            try:
                catalog = self._catalog_of(pack, problems)
            except Exception as error:  # noqa: BLE001 - the guard: one broken pack must not stop the others
                catalog = None
                problems.append(_unreadable(pack, error))
            records += [Record(namespace=pack.namespace, problem=problem) for problem in problems]
            if catalog is not None:
                types += _rows(catalog, len(usable))
                usable.append(pack)
        types.sort(key=lambda item: item[0][:2])
        plugins = self._sound(find_plugins(self._path, self._settings, packs, choice.packs), records)
        return Snapshot(
            packs=[[pack.distribution, pack.version, pack.namespace, pack.package, pack.editable] for pack in usable],
            problems=[_problem_row(record) for record in records],
            denied=choice.denied,
            rules=self._settings.rules.plain(),
            plugins=plugins,
            rows=[row for row, _ in types],
            entries=[entry for _, entry in types],
        )

    def _catalog_of(self, pack: Pack, problems: list[PackProblem]) -> Catalog | None:
        """The catalog that holds, None when there is none; problems are added in both cases."""
        try:
            folder = locate_package(pack, self._search_path)
        except PackError as error:
            problems.append(_problem("discover", error))
            return None
        file = folder / CATALOG_FILE
        written = self._stamp(str(file))
        catalog: Catalog | None = None
        data = read_file(file)
        if data is not None:
            try:
                catalog = read_catalog(data, pack)
            except PackError as error:
                problems.append(_problem("catalog", error))
        if pack.editable:
            sources = self._stamp_sources(folder)
            # A checkout writes files in any order: a source may look newer than its catalog without being so.
            # That costs one inspection for each state of the sources, whose result is kept by their content;
            # a tolerance instead would miss a change that follows soon after a build.
            if catalog is None or written is None or any(stamp[0] > written[0] for stamp in sources.values()):
                try:
                    catalog = self._inspect(pack, sorted(sources), folder)
                except PackError as error:
                    self.lasting = False
                    problems.append(_problem("inspect", error))
        elif data is None:
            problems.append(_no_catalog(pack, file))
        return catalog

    def _inspect(self, pack: Pack, sources: Sequence[Path], folder: Path) -> Catalog:
        digest = _digest(pack, sources, folder)
        kept = self._inspected / f"{digest}.json" if self._inspected is not None else None
        known = read_file(kept) if kept is not None else None
        if known is not None:
            try:
                return read_catalog(known, pack)
            except PackError:
                pass  # a damaged file is as good as none
        catalog = inspect_package(pack, search_path=self._path, timeout_seconds=self._timeout_seconds)
        # Not when someone saved a file meanwhile: the catalog may be that of the new content.
        if kept is not None and _digest(pack, sources, folder) == digest:
            write_file(kept, catalog_text(catalog).encode())
            keep_newest(kept.parent, "*", _KEPT_INSPECTIONS)
        return catalog

    def _sound(self, plugins: list[list[Any]], records: list[Record]) -> list[list[Any]]:
        """The plugins that a process survives; of the others there are records."""
        if not plugins:
            return plugins
        from flowruntime.hooks import points_of
        from flowruntime.registry.hook_trial import try_plugins  # most installations have none to try

        points = points_of(plugins)
        for point in points:
            self._stamp_module(point.value.partition(":")[0].strip(), point.folder)
        failed = try_plugins(points, search_path=self._path)
        if failed:
            self.lasting = False
        records += [
            Record(namespace=next(iter(point.namespaces), ""), problem=problem) for point, problem in failed.items()
        ]
        return [row for row, point in zip(plugins, points, strict=True) if point not in failed]

    def _stamp_module(self, module: str, folder: str) -> None:
        """Stamp the sources of a plugin that is installed editable: they change without an installation."""
        try:
            spec = importlib.machinery.PathFinder.find_spec(module.partition(".")[0], self._path)
        except Exception:  # noqa: BLE001 - the guard: a distribution may bring finders that raise anything
            return
        if spec is None or spec.origin is None or Path(spec.origin).is_relative_to(folder):
            return
        if spec.submodule_search_locations is None:
            self._stamp(spec.origin)
        else:
            self._stamp_sources(Path(spec.origin).parent)

    def _stamp(self, path: str) -> Stamp:
        self._stamps[path] = stamp = stamp_of(path)
        return stamp

    def _stamp_sources(self, folder: Path) -> dict[Path, list[int]]:
        """The stamps of all Python files below. The folders are stamped too: a new file must be noticed."""
        found: dict[Path, list[int]] = {}
        for path in _tree(folder):
            stamp = self._stamp(str(path))
            if stamp is not None and path.is_file():  # some editors lock `a.py` by a link `.#a.py` to nowhere
                found[path] = stamp
        return found


def _tree(folder: Path) -> Iterator[Path]:
    yield folder  # before it is listed: what is added from here on changes the stamp that is taken now
    for path in folder.iterdir():
        if path.suffix == ".py":
            yield path
        elif path.is_dir() and not path.is_symlink() and path.name != "__pycache__":
            yield from _tree(path)


def _digest(pack: Pack, sources: Sequence[Path], folder: Path) -> str:
    """What the catalog of a package depends on: its sources, and who reads them."""
    digest = hashlib.sha256(repr((__version__, sys.version, pack.namespace, pack.package)).encode())
    for source in sources:
        digest.update(repr((str(source.relative_to(folder)), read_file(source))).encode())
    return digest.hexdigest()


def _rows(catalog: Catalog, pack: int) -> Iterator[tuple[list[Any], bytes]]:
    for node_type in catalog.types:
        row = [
            node_type.id,
            node_type.version,
            node_type.title,
            node_type.description,
            node_type.category,
            node_type.standing,
            pack,
        ]
        yield row, write_json(node_type.to_json()).encode()


def _problem_row(record: Record) -> list[Any]:
    problem = record.problem
    return [record.namespace, problem.pack, problem.stage, problem.code, problem.message, problem.remedy]


def _problem(stage: Stage, error: PackError) -> PackProblem:
    return PackProblem(pack=error.pack, stage=stage, code=error.code, message=error.message, remedy=error.remedy)


def _no_catalog(pack: Pack, file: Path) -> PackProblem:
    return PackProblem(
        pack=pack.distribution,
        stage="catalog",
        code="catalog.missing",
        message=f"It has no catalog: {file} cannot be read.",
        remedy="Reinstall it; its author: run `flow pack build`, and put the file into the wheel.",
    )


def _unreadable(pack: Pack, error: Exception) -> PackProblem:
    return PackProblem(
        pack=pack.distribution,
        stage="catalog",
        code="catalog.unreadable",
        message=f"Its files cannot be read: {type(error).__name__}: {error}",
        remedy="Reinstall it.",
    )
