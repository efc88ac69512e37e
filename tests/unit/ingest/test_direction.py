"""The steps of reading call each other downwards only, whatever kind of file is read."""

import io
import json
import sys
from pathlib import Path

import openpyxl
import pytest

import pipeline.ingest
from pipeline.ingest.dump import DumpFile, read_file
from pipeline.ingest.price_reading import price_parts

FOLDER = Path(pipeline.ingest.__file__).parent
# The last step first. `prefetch.py` calls whatever it is given, and is no step.
STEPS = [
    "cells", "sources", "containers", "header", "lines", "rows",
    "accounts.py", "set_aside.py", "block_reading.py", "reading.py", "price_reading.py", "dump.py",
]  # fmt: skip

HEAD = "product_id,title,price,currency,marketplace\n"
PRICES = "product_id,date,price,currency\n"
API = {"asin": "B0INV00001", "domainId": 1, "title": "A", "csv": [None, [7530000, 2499]], "stats": {"current": [-1, 2599], "avg90": []}}


def workbook():
    book = openpyxl.Workbook()
    for row in (HEAD.strip().split(","), ["P1", "A", 1.5, "USD", "US"], ["P2", "B", 0, "USD", "US"]):
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def upward_calls(read):
    """(caller, called) for each call between steps that goes to a higher one, while `read` runs."""
    found = set()

    def step(frame):
        name = frame.f_code.co_filename
        return Path(name).relative_to(FOLDER).parts[0] if name.startswith(str(FOLDER)) else None

    def profile(frame, event, _):
        if event == "call" and frame.f_back and step(frame) in STEPS and step(frame.f_back) in STEPS:
            caller, called = step(frame.f_back), step(frame)
            if STEPS.index(called) > STEPS.index(caller):
                found.add((f"{caller}: {frame.f_back.f_code.co_name}", f"{called}: {frame.f_code.co_name}"))

    sys.setprofile(profile)
    try:
        read()
    finally:
        sys.setprofile(None)
    return found


@pytest.mark.parametrize(
    ("name", "content", "set_aside"),
    [
        ("lines.csv", (HEAD + 'P1,"A\nB",1.50,USD,US\nP2,"B,2.50,USD,US\nP3,C,0,USD,US\nP4,D,4.50,USD,US\n').encode(), 2),
        ("prices.csv", (PRICES + "P1,2026-01-11,1.50,USD\nP2,2026-01-12,x,USD\nP3,2026-01-12,2.50,USD\n").encode(), 1),
        ("book.xlsx", workbook(), 1),
        ("document.json", json.dumps({"products": [API]}).encode(), 0),
        ("lines.jsonl", (json.dumps(API) + "\n[]\n").encode(), 1),
    ],
)
def test_no_step_of_reading_calls_a_higher_one(name, content, set_aside, tmp_path, sources, context):
    path = tmp_path / name
    path.write_bytes(content)
    reports = []

    def read():
        reading = read_file(DumpFile(name, path), sources, context)
        for _ in price_parts(reading):
            pass
        reports.append(reading.report)

    assert upward_calls(read) == set()
    assert sum(reports[0].set_aside.values()) == set_aside and reports[0].rows > 0
