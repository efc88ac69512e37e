"""Line accounting: each line of each file is counted exactly once, and lines that were set aside are written with file and line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.plan import Plan
from pipeline.errors import DumpError, SetAsideError
from pipeline.ingest.containers.dump_files import unreadable
from pipeline.ingest.dump import DumpFile, ReadContext, raw_records
from pipeline.ingest.sources.schema import Source
from pipeline.publish.tables.run_json import file_entry, set_aside_share
from pipeline.runs.decide_task import DecideAnswer
from pipeline.runs.inputs import Inputs
from pipeline.runs.read_task import ReadAnswer, read_context, sources
from pipeline.store.files import file_digest
from pipeline.store.parquet import ParquetSink, read_spill
from pipeline.tables.published import UNMATCHED_OFFERS
from pipeline.tables.schemas import SET_ASIDE, schema


def ledger(reads: Sequence[ReadAnswer], decided: Sequence[DecideAnswer], repeats: Counter[str], limit: float) -> list[dict[str, Any]]:
    """The line accounting of every file, checked; raises `SetAsideError` where too many records of a file were set aside."""
    repeats, conflicts, superseded = Counter(repeats), Counter[str](), Counter[str]()
    for answer in decided:
        repeats.update(answer.repeats)
        superseded.update(answer.superseded)
        conflicts.update(str(row["file"]) for row in answer.conflicts)
    entries = []
    for read in reads:
        name = read.report.file
        entries.append(file_entry(read.report, repeats[name], superseded[name], conflicts[name]))
    for entry in entries:
        share = set_aside_share(entry)
        if share > limit:
            kinds = ", ".join(f"{kind} {count:,}" for kind, count in entry["set_aside"].items())
            aside = sum(entry["set_aside"].values())
            raise SetAsideError(
                f"{entry['file']}: {aside:,} of {entry['rows'] + aside:,} records were set aside ({kinds}); the limit is {limit:.1%}; "
                f"{_first_fault(reads, decided, entry['file'])}; run `shortlist check` on the dump, correct the file, then run again"
            )
    return entries


def _first_fault(reads: Sequence[ReadAnswer], decided: Sequence[DecideAnswer], file: str) -> str:
    reported = [row for read in reads if read.report.file == file for row in spilled_set_aside(read.spills).slice(0, 1).to_pylist()]
    reported += [row for answer in decided for row in answer.conflicts if row["file"] == file]
    if not reported:
        return "no example"
    column = f", column {reported[0]['column']}" if reported[0]["column"] else ""
    return f"first at line {reported[0]['line']}{column}; wanted: {reported[0]['message']}"


def spilled_set_aside(spills: Sequence[tuple[str, Path]]) -> pa.Table:
    """Set-aside lines from one file's spills, in the order of the file."""
    parts = [read_spill(path, 0) for name, path in spills if name == "set_aside"]
    return pa.concat_tables(parts) if parts else schema(SET_ASIDE).empty_table()


def write_set_aside(
    out: Path, reads: Sequence[ReadAnswer], decided: Sequence[DecideAnswer], inputs: Inputs, plan: Plan, metadata: dict[str, str]
) -> None:
    """Write `set_aside.parquet`: every line that was set aside, ordered by file and line; conflict texts are read again."""
    files: dict[str, DumpFile] = {file.name: file for file in inputs.files}
    conflicts = [row for answer in decided for row in answer.conflicts]
    by_file: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(conflicts, key=lambda r: (str(r["file"]), int(str(r["line"])))):
        by_file.setdefault(str(row["file"]), []).append(dict(row))
    named, context = {source.name: source for source in sources()}, read_context(plan)
    with ParquetSink(out / "set_aside.parquet", schema(SET_ASIDE), metadata) as sink:
        for read in sorted(reads, key=lambda r: r.report.file):
            rows = spilled_set_aside(read.spills)
            found = by_file.get(read.report.file, [])
            if found:
                offsets = sorted(int(str(row["byte_offset"])) for row in found)
                texts = _texts_at(files[read.report.file], named[read.report.source], offsets, context)
                text_at = dict(zip(offsets, texts, strict=True))
                found = [row | {"raw": text_at[int(str(row["byte_offset"]))]} for row in found]
                rows = pa.concat_tables([rows, pa.Table.from_pylist(found, schema=schema(SET_ASIDE))])
                if file_digest(files[read.report.file].path)[1] != read.report.sha256:
                    raise DumpError(f"{read.report.file}: changed while it was read; wait for the upload to finish, then run again")
            sink.write(rows.sort_by([("line", "ascending")]))


def _texts_at(file: DumpFile, source: Source, offsets: Sequence[int], context: ReadContext) -> list[str]:
    try:
        return raw_records(file, source, offsets, context)
    except OSError as error:  # the file was removed after it was read
        raise unreadable(file.name, error) from None


def write_unmatched(out: Path, unmatched: pa.Table, metadata: dict[str, str]) -> None:
    """Write `unmatched_offers.parquet`: the offers that match no product."""
    with ParquetSink(out / "unmatched_offers.parquet", schema(UNMATCHED_OFFERS), metadata) as sink:
        # Ordered by content; the line decides only between equal offers.
        said = [name for name in unmatched.column_names if name not in ("line", "byte_offset")]
        ordered = unmatched.sort_by([(name, "ascending") for name in (*said, "line")])
        costs = {name: pc.divide(pc.cast(ordered[name], pa.float64()), 10_000.0) for name in said if name.endswith("_e4")}
        reported = pa.table([costs.get(name, ordered[name]) for name in ordered.column_names], schema=schema(UNMATCHED_OFFERS))
        sink.write(reported)
