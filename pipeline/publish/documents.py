"""The two files for people, made from a run's folder alone: the same folder and language give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from pipeline.publish.report import page as report
from pipeline.publish.tables.run_json import manifest_bytes
from pipeline.publish.view.run_view import RunFolder, read_page
from pipeline.publish.workbooks.shortlist_workbook import write_workbook

REPORT, WORKBOOK = "report.html", "shortlist.xlsx"


def documents(run: RunFolder) -> Iterator[tuple[str, bytes]]:
    """Names and contents."""
    # As it will be read back from run.json, so that `report` writes the same bytes.
    page = read_page(replace(run, manifest=json.loads(manifest_bytes(run.manifest))))
    yield REPORT, report.render(page)
    yield WORKBOOK, write_workbook(page)
