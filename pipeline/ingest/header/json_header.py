"""The names in the records of a JSON file, and the source that recognises them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipeline.errors import DumpError
from pipeline.ingest.containers.archives import plain_name
from pipeline.ingest.containers.blocks import Opening, open_file
from pipeline.ingest.containers.dump_files import DumpFile
from pipeline.ingest.containers.json_documents import look_up
from pipeline.ingest.containers.json_records import JsonFile, JsonTable
from pipeline.ingest.containers.record_blocks import SEPARATOR
from pipeline.ingest.header.header import Header
from pipeline.ingest.sources.context import ReadContext
from pipeline.ingest.sources.recognition import recognise
from pipeline.ingest.sources.schema import Source

_NAMES = 1_000
_LINES, _DOCUMENTS = (".jsonl", ".ndjson"), (".json",)
_LOOKS_LIKE = re.compile(rb'\s*(?:\[\s*)?\{\s*["}]|\s*\[\s*\]')
_SECOND_LINE = re.compile(rb"\s*\{[^\r\n]*\}[ \t]*[\r\n]+\s*\{")


def is_json(file: DumpFile) -> bool:
    """Whether a file is JSON by its first signs, or is called so."""
    if plain_name(file.name).lower().endswith(_LINES + _DOCUMENTS):
        return True
    return bool(_LOOKS_LIKE.match(open_file(file.path, file.name, 1 << 16).head))


def read_json_header(file: DumpFile, sources: Sequence[Source], context: ReadContext) -> Header:
    """Read the names of all records of a JSON file, and find the source that knows them.

    Raises
    ------
    DumpError
        The file is no JSON in UTF-8, holds no object, too many names, or is of no known source.
    """
    opening = open_file(file.path, file.name, 1 << 16)
    if not opening.head.strip():
        raise DumpError(f"{file.name}: empty; send the file again")
    if opening.encoding not in {None, "utf-8"}:
        raise DumpError(f"{file.name}: JSON in {opening.encoding}; send it as UTF-8")
    paths = tuple(dict.fromkeys(path for source in sources for path in source.file.records))
    is_lines = plain_name(file.name).lower().endswith(_LINES) or bool(_SECOND_LINE.match(opening.head))
    json_file = JsonFile(file, opening, paths, is_lines)
    names = _all_names(json_file, sources)
    source = recognise(names, sources, file.name).source
    own = set(_paths([source]))
    kept = [name for name in names if name in own or not _is_path(name)]
    match = recognise(kept, [source], file.name)
    decimal = context.declared.get(source.name, {}).get("decimal", source.file.decimal)

    records = JsonTable(json_file, tuple(kept), decimal)
    return Header(match, Opening(b"", "utf-8", False, b""), "utf-8", SEPARATOR, 0, 0, 0, True, 0, records)


def json_names(file: DumpFile) -> tuple[str, ...]:
    """The names in a JSON file's first records, for a file that no source knows."""
    opening = open_file(file.path, file.name, 1 << 16)
    is_lines = plain_name(file.name).lower().endswith(_LINES) or bool(_SECOND_LINE.match(opening.head))
    return tuple(_all_names(JsonFile(file, opening, (), is_lines), ()))


def _paths(sources: Iterable[Source]) -> list[str]:
    """Every path into a record that a source's columns or its history name."""
    named = [header for source in sources for rule in source.columns.values() for header in rule.headers]
    named += [path.partition("@")[0] for source in sources if source.history for path in source.history.steps]
    named += [path for source in sources for path in (*source.recognise.all, *source.recognise.any)]
    return list(dict.fromkeys(name for name in named if _is_path(name)))


def _is_path(name: str) -> bool:
    return " " not in name and ("." in name.strip(".") or "@" in name)


def _all_names(json_file: JsonFile, sources: Sequence[Source]) -> list[str]:
    names: dict[str, None] = {}
    waiting = _paths(sources)
    for found in json_file.records():
        if not isinstance(found.value, dict):
            continue
        names.update(dict.fromkeys(found.value))
        if len(names) > _NAMES:
            raise DumpError(f"{json_file.file.name}: more than {_NAMES:,} different names in its records; is this a table?")
        here = [path for path in waiting if look_up(found.value, path) is not None]
        names.update(dict.fromkeys(here))
        waiting = [path for path in waiting if path not in names] if here else waiting
    if not names:
        raise DumpError(f"{json_file.file.name}: no object in it; wanted a list of objects, one for each product")
    return list(names)
