"""Reading invented bytes as a file of a dump."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.ingest.dump import DumpFile, FileReport, ReadContext, read_file
from pipeline.ingest.sources.schema import Source, load_sources
from pipeline.tables import schemas

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Read:
    """All chunks of a file put together."""

    rows: list[dict[str, Any]]
    aside: list[dict[str, Any]]
    report: FileReport
    history: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture(scope="session")
def sources() -> tuple[Source, ...]:
    return load_sources(ROOT / "configs" / "sources")


@pytest.fixture(scope="session")
def context() -> ReadContext:
    return ReadContext(
        currencies={"USD": 2, "EUR": 2, "GBP": 2, "JPY": 0, "CNY": 2},
        marketplaces={"US": "USD", "UK": "GBP", "DE": "EUR", "FR": "EUR", "ES": "EUR", "JP": "JPY"},
        aliases={"com": "US", "gb": "UK", "co.uk": "UK", "de": "DE", "fr": "FR", "es": "ES", "co.jp": "JP"},
        default_marketplace="US",
    )


@pytest.fixture
def read(tmp_path: Path, sources: tuple[Source, ...], context: ReadContext) -> Callable[..., Read]:
    def _read(content: str | bytes, name: str = "dump.csv", plan: ReadContext = context) -> Read:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        reading = read_file(DumpFile(name, path), sources, plan)
        rows: list[dict[str, Any]] = []
        aside: list[dict[str, Any]] = []
        history: list[dict[str, Any]] = []
        for table, chunk in reading.tables():
            wanted = schemas.SET_ASIDE if table == "set_aside" else schemas.DUMP_TABLES[table]
            assert isinstance(chunk, pa.Table) and chunk.schema == schemas.schema(wanted)
            (aside if table == "set_aside" else rows if table == reading.report.table else history).extend(chunk.to_pylist())
        reading.report.check_ledger()
        assert reading.report.size == path.stat().st_size
        assert reading.report.records == len(rows)
        assert sum(reading.report.set_aside.values()) == len(aside)
        return Read(rows, aside, reading.report, history)

    return _read
