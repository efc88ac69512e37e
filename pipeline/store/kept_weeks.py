"""The history store: observations of earlier weeks. There is one immutable run per dump; compaction merges several weeks into one run.

A run is a folder: `prices-US.parquet` ... (sorted by key and day, one row group per range of keys), `ids.parquet` (the text of ids that
do not fit into a key), `orders.parquet`, `returns.parquet`, `deliveries.parquet`, `set_aside.parquet` and `ledger.json`. `manifest.json`
names the runs that count; it is replaced in one step, last. A run of several weeks has a column `told`: bit i is set where its i-th week
reported the row. Compaction therefore loses nothing: a reader as of an old week uses only the bits of the weeks before it, and the
manifest marks a week that was sent again as replaced in its old run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import DumpError, NotWritten
from pipeline.store.disk import TEMPORARY, kept, place_folder, remove, replace_file, written
from pipeline.store.kept_prices import open_run
from pipeline.tables.price_rows import PriceRows

RECORDS = ("orders", "returns", "deliveries")
MOST_WEEKS = 62  # bits of `told`, an int64 that must not become negative
_FORMAT = 1
_CURE = "restore store/weeks from a backup, or remove it and run the weeks again"


def generation(week: str) -> int:
    """The week as a number in the order of weeks: `2026-W47` -> 202647."""
    return int(week[:4] + week[6:])


@dataclass(frozen=True)
class Run:
    """A kept run as seen from one week: its folder, its weeks in ascending order (bit i of `told` is the i-th), and the bits that count."""

    folder: Path
    weeks: tuple[str, ...]
    live: int

    def generations(self, reported: np.ndarray | None, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """The newest week that counts and reported each row, as (indexes of the rows with such a week, their generation), both int64."""
        if reported is None or len(self.weeks) == 1:
            return np.arange(rows if self.live else 0), np.full(rows if self.live else 0, generation(self.weeks[0]))
        counted = reported & self.live
        used = np.flatnonzero(counted)
        highest = np.searchsorted(1 << np.arange(len(self.weeks)), counted[used], side="right") - 1
        return used, np.array([generation(week) for week in self.weeks])[highest]


@dataclass(frozen=True)
class Known:
    """The kept observations as of one week: the runs with the bits that count, and each week's content hash."""

    runs: tuple[Run, ...] = ()
    weeks: tuple[tuple[str, str], ...] = ()

    def markets(self) -> list[str]:
        """Marketplaces that have prices."""
        return sorted({path.stem.removeprefix("prices-") for run in self.runs for path in run.folder.glob("prices-*.parquet")})

    def prices(self, market: str, bucket: int, buckets: int) -> tuple[PriceRows, np.ndarray]:
        """All price observations of a bucket, repeated where several runs hold them, and the generation of each row."""
        parts, ages = [PriceRows.none()], [np.zeros(0, np.int64)]
        for run in self.runs:
            path = run.folder / f"prices-{market}.parquet"
            if path.is_file():
                with kept(path, _CURE), open_run(path) as file:
                    rows, reported = file.read(bucket, buckets)
                used, age = run.generations(reported, len(rows))
                parts.append(rows if len(used) == len(rows) else rows.take(used))
                ages.append(age)
        return PriceRows.of(parts), np.concatenate(ages)

    def records(self, name: str, schema: pa.Schema, hashes: tuple[int, int] | None = None) -> pa.Table:
        """Kept orders, returns or deliveries in the columns of `schema`, with their `generation`; `hashes` is a range of the hash."""
        found = [schema.append(pa.field("generation", pa.int64())).empty_table()]
        within = [("hash", ">=", hashes[0]), ("hash", "<", hashes[1])] if hashes else None
        for run in self.runs:
            path = run.folder / f"{name}.parquet"
            if path.is_file():
                with kept(path, _CURE):
                    table = pq.read_table(path, filters=within, partitioning=None)
                reported = np.asarray(table["told"]) if "told" in table.column_names else None
                used, age = run.generations(reported, table.num_rows)
                rows = table.select(schema.names).cast(schema).take(pa.array(used))
                found.append(rows.append_column("generation", pa.array(age, pa.int64())))
        return pa.concat_tables(found)

    def wide_ids(self) -> dict[int, str]:
        """The text of kept ids that do not fit into a key."""
        found: dict[int, str] = {}
        for run in self.runs:
            if (run.folder / "ids.parquet").is_file():
                merge_ids(found, read_ids(run.folder / "ids.parquet"))
        return found


def read_ids(path: Path) -> dict[int, str]:
    """Key -> id of the wide ids in a file."""
    with kept(path, _CURE):
        table = pq.read_table(path, partitioning=None)
    return dict(zip(table["key"].to_pylist(), table["product_id"].to_pylist(), strict=True))


def merge_ids(known: dict[int, str], more: Mapping[int, str]) -> None:
    """Add wide ids; two texts with one key are a collision of 63-bit hashes and raise `AssertionError`."""
    for key, name in more.items():
        if known.setdefault(key, name) != name:
            raise AssertionError(f"two product ids share the key {key:x}")


def write_ids(path: Path, ids: Mapping[int, str]) -> None:
    """Write wide ids; no file is written where there are none."""
    if ids:
        ordered = sorted(ids.items())
        table = pa.table({"key": pa.array([k for k, _ in ordered], pa.uint64()), "product_id": pa.array([n for _, n in ordered])})
        with written(path):
            pq.write_table(table, path, compression="zstd")


@dataclass(frozen=True)
class KeptWeeks:
    """The folder of all kept runs; only the holder of the data folder's lock may change it."""

    root: Path

    @property
    def _manifest(self) -> Path:
        return self.root / "manifest.json"

    def _read(self) -> dict[str, Any]:
        if not self._manifest.is_file():
            return {"format": _FORMAT, "runs": [], "weeks": {}}
        with kept(self._manifest, _CURE):
            content = self._manifest.read_bytes()
        try:
            held: dict[str, Any] = json.loads(content)
            if held["format"] != _FORMAT:
                raise ValueError(held["format"])
        except (ValueError, KeyError, TypeError):
            raise DumpError(
                f"{self._manifest}: not a manifest that this version reads; restore it, or remove its folder and run the weeks again"
            ) from None
        return held

    def known(self, before: str | None = None) -> Known:
        """Observations of the weeks before `before`, or of all weeks."""
        held = self._read()
        runs = []
        for entry in held["runs"]:
            weeks = tuple(entry["weeks"])
            counted = [w not in entry["replaced"] and (before is None or w < before) for w in weeks]
            live = sum(1 << bit for bit, counts in enumerate(counted) if counts)
            if live:
                if not (self.root / entry["folder"]).is_dir():
                    raise NotWritten(f"{self.root / entry['folder']}: missing, although its weeks count; {_CURE}")
                runs.append(Run(self.root / entry["folder"], weeks, live))
        digests = [(w, facts["sha256"]) for w, facts in sorted(held["weeks"].items()) if before is None or w < before]
        return Known(tuple(runs), tuple(digests))

    def keep(self, week: str, as_of: str, filled: Path) -> bool:
        """Move a filled work folder into the store as the week's run; equal content changes nothing, other content replaces that week only.

        `filled` is on the same disk. Returns whether anything changed. After a kill at any moment the store is in its old or its new state.
        """
        digest, held = content_digest(filled), self._read()
        facts = {"as_of": as_of, "sha256": digest}
        if held["weeks"].get(week) == facts:
            return False
        name = f"{week}.{digest[:16]}"
        place_folder(filled, self.root / name)
        runs = [entry | {"replaced": sorted({*entry["replaced"], *({week} & {*entry["weeks"]})})} for entry in held["runs"]]
        runs.append({"folder": name, "weeks": [week], "replaced": []})
        self._point(runs, held["weeks"] | {week: facts})
        return True

    def replace_runs(self, old: tuple[Run, ...], weeks: tuple[str, ...], filled: Path) -> None:
        """Replace runs by the one run of several weeks that was merged from them."""
        held = self._read()
        gone = {run.folder.name for run in old}
        name = f"{weeks[0]}..{weeks[-1]}.{content_digest(filled)[:16]}"
        place_folder(filled, self.root / name)
        runs = [entry for entry in held["runs"] if entry["folder"] not in gone]
        self._point([*runs, {"folder": name, "weeks": list(weeks), "replaced": []}], held["weeks"])

    def _point(self, runs: list[dict[str, Any]], weeks: Mapping[str, Any]) -> None:
        alive = [entry for entry in runs if set(entry["weeks"]) - set(entry["replaced"])]
        reported = {"format": _FORMAT, "runs": alive, "weeks": dict(sorted(weeks.items()))}
        replace_file(self._manifest, (json.dumps(reported, indent=1, sort_keys=True) + "\n").encode())
        self.sweep()

    def sweep(self) -> None:
        """Remove runs that the manifest does not name, and the leftovers of a kill."""
        if not self.root.is_dir():
            return
        counted = {entry["folder"] for entry in self._read()["runs"]}
        with written(self.root):
            for path in self.root.iterdir():
                if path.name.startswith(TEMPORARY) or (path.is_dir() and path.name not in counted):
                    remove(path)


def content_digest(folder: Path) -> str:
    """SHA-256 over the names and bytes of all files of a folder."""
    held = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        held.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        for piece in _pieces(path):
            held.update(piece)
    return held.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as handle:
        while piece := handle.read(1 << 20):
            yield piece
