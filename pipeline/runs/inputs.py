"""The inputs of a run: the dump, its week, and everything else that can change the result; the run id is a hash of them."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.config.files import code_digest
from pipeline.config.locations import CLONE
from pipeline.config.plan import Plan, digest_of
from pipeline.errors import DumpError, NothingToDo, UsageError
from pipeline.ingest.containers.dump_files import UNFINISHED, DumpFile, copy_warnings, list_dump, unreadable, without_copies
from pipeline.ingest.containers.sidecars import DONE, check_sum
from pipeline.store.data_folder import DataFolder
from pipeline.store.files import file_digest
from pipeline.store.kept_weeks import Known
from pipeline.tables.calendar import checked_week, intended_week, week_of

# The seller's decisions in the data folder; the name differs from that of a `decisions.csv` in a dump.
SELLER_FILE = "decisions.csv (data folder)"
# Only `make shortlist` in a clone shows the sample; an installed package holds none.
SAMPLE = None if CLONE is None else CLONE / "data" / "sample" / "dumps"
_LIBRARIES = ("numpy", "pandas", "pyarrow", "scipy", "scikit-learn", "pydantic", "jinja2", "xlsxwriter")


@dataclass(frozen=True)
class EarlierWeeks:
    """What a week uses of earlier weeks.

    `known` are the kept weeks and `compared` the shapes that the guards compare with, each as (week, digest); `previous` is the last list
    as (week, run id).
    """

    known: tuple[tuple[str, str], ...]
    previous: tuple[str, str] | None
    compared: tuple[tuple[str, str], ...]

    def plain(self) -> dict[str, Any]:
        """The form in `run.json`."""
        return {"known": dict(self.known), "previous": self.previous and list(self.previous), "compared": dict(self.compared)}


@dataclass(frozen=True)
class Inputs:
    """The files and earlier weeks that one run reads."""

    dump: Path
    week: str
    is_sample: bool
    files: tuple[DumpFile, ...]
    digests: Mapping[str, tuple[int, str]]
    seller_file: DumpFile | None
    known: Known
    ground: EarlierWeeks
    warnings: tuple[str, ...] = ()


def find_dump(data: DataFolder, dump: Path | None, week: str | None, sample_if_empty: bool) -> tuple[Path, str, bool]:
    """The dump to read, its week, and whether it is the committed sample.

    Raises
    ------
    UsageError
        The week cannot be found, or two weeks contradict each other.
    DumpError
        The dump that was named is not there.
    NothingToDo
        No complete dump.
    """
    asked = checked_week(week) if week is not None else None
    if dump is not None:
        try:
            is_there = dump.exists()
        except OSError as error:
            raise unreadable(str(dump), error) from None
        if not is_there:
            raise DumpError(f"{dump}: not there; name a folder or a file that holds the dump")
        folder = dump.resolve() if dump.is_dir() else dump.resolve().parent
        named = week_of(folder.name)
        if asked is None and named is None:
            raise UsageError(f"{folder.name!r} names no week; add --week, for example --week 2026-W47")
        return dump, asked or named or "", False
    found = complete_dumps(data.dumps)
    if asked is None:
        _refuse_misnamed_newest(data.dumps, found)
    if asked is not None:
        if asked not in found:
            samples = _samples(data) if sample_if_empty else {}
            if asked in samples:
                return samples[asked], asked, True
            raise NothingToDo(f"{data.dumps} holds no complete dump of {asked}; put one there, or name a folder")
        _refuse_unmarked(found, asked)
        return found[asked], asked, False
    if found:
        newest = max(found)
        _refuse_unmarked(found, newest)
        return found[newest], newest, False
    samples = _samples(data) if sample_if_empty else {}
    if samples:
        return samples[max(samples)], max(samples), True
    raise NothingToDo(
        f"no complete dump in {data.dumps}; put one there in a folder named by its week, for example {data.dumps / '2026-W47'}"
    )


def complete_dumps(folder: Path) -> dict[str, Path]:
    """Week -> dump folder, for folders named by a week that hold files and none that is still being uploaded."""
    if not folder.is_dir():
        return {}
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        week = week_of(path.name)
        if week is None or not path.is_dir():
            continue
        try:
            next(path.iterdir(), None)
        except PermissionError:
            found[week] = path  # the run refuses it; skipping it would report an older dump as the newest
            continue
        names = [inner.name for inner in path.rglob("*") if inner.is_file() and not inner.name.startswith(".")]
        if names and not any(name.lower().endswith(UNFINISHED) for name in names):
            found[week] = path
    return found


def misnamed_dumps(folder: Path) -> dict[str, str | None]:
    """Folders in `dumps/` whose name is not a week, so that no run reads them: name -> the week that it clearly means, if any."""
    if not folder.is_dir():
        return {}
    others = [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".") and week_of(path.name) is None]
    return {name: intended_week(name) for name in sorted(others)}


def misnamed_warnings(folder: Path) -> list[str]:
    """One line for each folder in `dumps/` whose name is not a week."""
    lines = []
    for name, week in misnamed_dumps(folder).items():
        if week is None:
            lines.append(f"{folder / name}: not read, its name is no week; name it like 2026-W47, or move it out of {folder.name}/")
        else:
            lines.append(f"{folder / name}: not read, its name is no week; rename it to {week}, or move it out of {folder.name}/")
    return lines


def _refuse_misnamed_newest(folder: Path, found: Mapping[str, Path]) -> None:
    """Refuse where the newest dump has a wrong name: skipping it would report success every week without a new list."""
    intended = {week: name for name, week in misnamed_dumps(folder).items() if week is not None}
    newest = max(intended, default="")
    if newest > max(found, default=""):
        raise NothingToDo(
            f"{folder / intended[newest]}: looks like the dump of {newest}, newer than every dump that can be read; rename it to {newest}"
        )


def _refuse_unmarked(found: Mapping[str, Path], week: str) -> None:
    """Refuse a dump without the marker of completion where the dump before it has one: its upload is not finished."""
    before = max((earlier for earlier in found if earlier < week), default=None)
    if before is not None and (found[before] / DONE).exists() and not (found[week] / DONE).exists():
        there = found[week]
        cure = f"shortlist run {shlex.quote(str(there))}"
        raise NothingToDo(f"{there} holds no {DONE} yet, as {before} does; wait for the upload to finish, or name the folder: {cure}")


def _samples(data: DataFolder) -> dict[str, Path]:
    """The sample's dumps by week; empty where the data folder holds a real dump or list."""
    is_empty = not complete_dumps(data.dumps) and all(_is_sample(data, week) for week in data.weeks())
    return complete_dumps(SAMPLE) if SAMPLE is not None and is_empty else {}


def _is_sample(data: DataFolder, week: str) -> bool:
    return bool((data.manifest(week) or {}).get("sample"))


def earlier_weeks_of(
    data: DataFolder, manifests: Mapping[str, Mapping[str, Any]], week: str, is_sample: bool, compared: int
) -> EarlierWeeks:
    """What a week would use of earlier weeks now; `manifests` are those of the current runs, `compared` is how many the guards need."""
    earlier = [w for w in sorted(manifests) if w < week and bool(manifests[w]["sample"]) == is_sample]
    known = () if is_sample else data.kept.known(before=week).weeks
    previous = (earlier[-1], str(manifests[earlier[-1]]["run_id"])) if earlier else None
    shapes = tuple((w, digest_of(manifests[w].get("shape"))[:16]) for w in earlier[-compared:])
    return EarlierWeeks(known, previous, shapes)


def manifests_in_force(data: DataFolder) -> dict[str, dict[str, Any]]:
    """`run.json` of each week's current run, by week, oldest first."""
    held = {week: data.manifest(week) for week in data.weeks()}
    return {week: manifest for week, manifest in held.items() if manifest is not None}


def gather(data: DataFolder, dump: Path, week: str, is_sample: bool, compared: int) -> Inputs:
    """Every file of the run with its size and SHA-256, and what the run uses of earlier weeks; raises `DumpError`.

    The files are listed before and after hashing, and hashed again while they are read. If nothing differs, the run has read one
    consistent version of the dump.
    """
    _refuse_link_out(data, dump)
    seller = data.root / "decisions.csv"
    seller_file = DumpFile(SELLER_FILE, seller) if seller.is_file() and not is_sample else None
    try:
        kept, copies = without_copies(list_dump(dump))
        files = tuple(kept)
        digests = {file.name: file_digest(file.path) for file in files}
        if seller_file is not None:
            digests[SELLER_FILE] = file_digest(seller)
        again, _ = without_copies(list_dump(dump))
    except OSError as error:
        raise unreadable(error.filename or dump.name, error) from None
    for file in files:
        check_sum(file.name, file.promise, digests[file.name][1])
    if [file.name for file in again] != [file.name for file in files]:
        raise DumpError(f"{dump.name}: files came or went while it was read; wait for the upload to finish, then run again")
    ground = earlier_weeks_of(data, manifests_in_force(data), week, is_sample, compared)
    known = Known() if is_sample else data.kept.known(before=week)
    return Inputs(dump, week, is_sample, files, digests, seller_file, known, ground, tuple(copy_warnings(copies)))


def _refuse_link_out(data: DataFolder, dump: Path) -> None:
    """Refuse a link inside the data folder that leads out of it; a dump named in the command may be such a link."""
    root = data.root.resolve()
    own = (dump,) if dump.absolute().is_relative_to(data.root.absolute()) else ()
    for path in (*own, data.root / "decisions.csv"):
        if path.exists() and not path.resolve().is_relative_to(root):
            raise DumpError(f"{path}: a link that leaves the data folder; put the file itself there, or name the dump: shortlist run DUMP")


@functools.cache
def versions() -> Mapping[str, str]:
    """Versions of the program, Python and the libraries that can change a number or a byte; looked up once per process."""
    named = {name: version(name) for name in _LIBRARIES}
    return {"shortlist": __version__, "python": ".".join(platform.python_version_tuple()[:2]), **named}


def run_id(inputs: Inputs, plan: Plan, options: Mapping[str, object]) -> str:
    """The first 16 hexadecimal digits of a SHA-256 over everything that can change the result; not the clock, the paths or the workers."""
    reported: Sequence[object] = [
        inputs.week,
        inputs.is_sample,
        sorted((name, digest) for name, (_, digest) in inputs.digests.items()),
        sorted((file.name, file.promise.rows) for file in inputs.files if file.promise.rows is not None),
        inputs.ground.plain(),
        plan.digest(),
        code_digest(),
        versions(),
        dict(options),
    ]
    return hashlib.sha256(json.dumps(reported, sort_keys=True, default=str).encode()).hexdigest()[:16]
