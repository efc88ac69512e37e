"""Inspection of a dump for `check`: each file, its source, matched columns, rows, and what would be set aside; writes nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.config.plan import Plan
from pipeline.errors import DumpError
from pipeline.ingest.containers.dump_files import copy_warnings, unreadable, without_copies
from pipeline.ingest.dump import describe, list_dump, read_file
from pipeline.messages import ENGLISH, Words
from pipeline.publish.tables.run_json import file_entry
from pipeline.runs.read_task import read_context, sources

_SAMPLES = 3
_NAMES = 8  # headers named in a line


def check_dump(dump: Path, plan: Plan) -> dict[str, Any]:
    """Read every file to its end and describe it; `problems` is the number of files that would refuse the dump."""
    if not dump.exists():
        raise DumpError(f"{dump}: not there; name a folder or a file that holds the dump")
    context = read_context(plan)
    files: list[dict[str, Any]] = []
    try:
        kept, copies = without_copies(list_dump(dump))
    except OSError as error:
        raise unreadable(dump.name, error) from None
    for file in kept:
        try:
            reported = describe(file, sources(), context)
        except OSError as error:
            problem = str(unreadable(file.name, error))
            files.append({"header": [], "file": file.name, "source": None, "table": None, "problem": problem})
            continue
        entry: dict[str, Any] = {
            "header": list(reported.header),
            "file": file.name,
            "source": reported.source,
            "table": reported.table,
            "problem": reported.problem,
        }
        if reported.problem is None:
            entry |= {"columns": reported.columns, "unused": list(reported.unused), "told_by": list(reported.recognised_by)}
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
            except OSError as error:
                entry["problem"] = str(unreadable(file.name, error))
        files.append(entry)
    problems = sum(1 for entry in files if entry["problem"])
    return {"dump": str(dump), "files": files, "problems": problems, "warnings": copy_warnings(copies)}


def check_lines(reported: dict[str, Any], say: Words = ENGLISH) -> list[str]:
    """The result of `check_dump` as lines for a terminal."""
    lines: list[str] = []
    for entry in reported["files"]:
        if entry["problem"]:
            lines += [say("{file}: cannot be read", file=entry["file"]), f"  {say.found(entry['problem'])}"]
            lines += ["  " + say("its columns: {headers}", headers=_shown(entry["header"], say))] if entry["header"] else []
            continue
        ledger = entry["ledger"]
        lines.append(f"{entry['file']}: {entry['source']} -> {entry['table']}, {ledger['encoding']}")
        lines.append("  " + say("recognised by: {headers}", headers=_shown(entry["told_by"], say)))
        if entry["columns"]:
            lines.append("  " + ", ".join(f"{field} = {header}" for field, header in entry["columns"].items()))
        if entry["unused"]:
            lines.append("  " + say("not used: {headers}", headers=_shown(entry["unused"], say)))
        parts = [say("{n:,} lines", n=ledger["lines"]), say("{n:,} rows", n=ledger["rows"])]
        parts += [f"{kind} {count:,}" for kind, count in {**ledger["non_records"], **ledger["non_products"]}.items()]
        parts += [say("blank {n:,}", n=ledger["blank"])] if ledger["blank"] else []
        lines.append("  " + say.listed(parts))
        if ledger["set_aside"]:
            counted = say.listed(f"{kind} {count:,}" for kind, count in ledger["set_aside"].items())
            lines.append("  " + say("set aside: {counts}", counts=counted))
            for sample in entry["set_aside_samples"]:
                column = f", {sample['column']}" if sample["column"] else ""
                where = say("line {line}{column}", line=sample["line"], column=column)
                lines.append(f"    {where}: {say.found(sample['message'])}: {str(sample['raw'])[:120]}")
        lines += ["  " + say("note: {text}", text=say.found(text)) for text in ledger["warnings"]]
    lines += [say("warning: {text}", text=say.found(text)) for text in reported["warnings"]]
    good, files = len(reported["files"]) - reported["problems"], len(reported["files"])
    if reported["problems"]:
        return [*lines, say("{good} of {files} files can be read; the others refuse the dump", good=good, files=files)]
    return [*lines, say("{good} of {files} files can be read", good=good, files=files)]


def _shown(names: list[str], say: Words) -> str:
    shown = say.listed(name or say("(without a name)") for name in names[:_NAMES])
    return shown + (say(" and {n} more", n=len(names) - _NAMES) if len(names) > _NAMES else "")
