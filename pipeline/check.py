"""What would be read of a dump: each file, its source, which column matched what, rows, and what would be set aside; writes nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.errors import DumpError
from pipeline.ingest.dump import describe, list_dump, read_file
from pipeline.plan import Plan
from pipeline.publish.manifest import file_entry
from pipeline.tasks import read_context, sources

_SAMPLES = 3
_NAMES = 8


def check_dump(dump: Path, plan: Plan) -> dict[str, Any]:
    """Every file read to its end and told; `problems` counts those that would refuse the dump."""
    if not dump.exists():
        raise DumpError(f"{dump}: not there; name a folder or a file that holds the dump")
    context = read_context(plan)
    files = []
    for file in list_dump(dump):
        told = describe(file, sources(), context)
        entry: dict[str, Any] = {
            "header": list(told.header),
            "file": file.name,
            "source": told.source,
            "table": told.table,
            "problem": told.problem,
        }
        if told.problem is None:
            entry |= {"columns": told.columns, "unused": list(told.unused), "told_by": list(told.told_by)}
            try:
                reading = read_file(file, sources(), context)
                kinds: Counter[str] = Counter()
                samples: list[dict[str, Any]] = []
                for name, table in reading.tables():
                    if name == "set_aside":
                        kinds.update(table["kind"].to_pylist())
                        samples += table.slice(0, _SAMPLES - len(samples)).to_pylist() if len(samples) < _SAMPLES else []
                entry |= {"ledger": file_entry(reading.report, 0, 0, 0), "set_aside_samples": samples}
            except DumpError as error:
                entry["problem"] = str(error)
        files.append(entry)
    return {"dump": str(dump), "files": files, "problems": sum(1 for entry in files if entry["problem"])}


def check_lines(told: dict[str, Any]) -> list[str]:
    """The same for a terminal."""
    lines: list[str] = []
    for entry in told["files"]:
        if entry["problem"]:
            lines += [f"{entry['file']}: cannot be read", f"  {entry['problem']}"]
            lines += [f"  its columns: {_shown(entry['header'])}"] if entry["header"] else []
            continue
        ledger = entry["ledger"]
        lines.append(f"{entry['file']}: {entry['source']} -> {entry['table']}, {ledger['encoding']}")
        lines.append(f"  told by: {_shown(entry['told_by'])}")
        if entry["columns"]:
            lines.append("  " + ", ".join(f"{field} = {header}" for field, header in entry["columns"].items()))
        if entry["unused"]:
            lines.append(f"  not used: {_shown(entry['unused'])}")
        parts = [f"{ledger['lines']:,} lines", f"{ledger['rows']:,} rows"]
        parts += [f"{kind} {count:,}" for kind, count in {**ledger["non_records"], **ledger["non_products"]}.items()]
        parts += [f"blank {ledger['blank']:,}"] if ledger["blank"] else []
        lines.append("  " + ", ".join(parts))
        if ledger["set_aside"]:
            lines.append("  set aside: " + ", ".join(f"{kind} {count:,}" for kind, count in ledger["set_aside"].items()))
            for sample in entry["set_aside_samples"]:
                column = f", {sample['column']}" if sample["column"] else ""
                lines.append(f"    line {sample['line']}{column}: {sample['message']}: {str(sample['raw'])[:120]}")
        lines += [f"  note: {text}" for text in ledger["warnings"]]
    good = len(told["files"]) - told["problems"]
    lines.append(f"{good} of {len(told['files'])} files can be read" + ("; the others refuse the dump" if told["problems"] else ""))
    return lines


def _shown(names: list[str]) -> str:
    shown = ", ".join(name or "(without a name)" for name in names[:_NAMES])
    return shown + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")
