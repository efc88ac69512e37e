"""Log lines are whole JSON objects, and a log that cannot be written stops nothing."""

import json

from pipeline.runs import log as log_module
from pipeline.runs.log import Log


def test_a_line_holds_time_level_event_and_what_was_bound(tmp_path):
    log = Log(str(tmp_path / "a.jsonl"), week="2026-W47")
    log.event("started", dump="x")
    log.bind(run_id="ab")
    log.trouble("failed", exit_code=14)
    first, second = (json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines())
    assert (first["event"], first["level"], first["week"], first["dump"]) == ("started", "info", "2026-W47", "x")
    assert (second["event"], second["level"], second["run_id"], second["exit_code"]) == ("failed", "error", "ab", 14)
    assert first["attempt"] == second["attempt"] and first["timestamp"].endswith("Z")


def test_a_log_without_a_place_and_one_without_a_disk_say_nothing(tmp_path):
    Log().event("started")
    log = Log(str(tmp_path / "no" / "folder.jsonl"))
    log.event("started")
    assert list(tmp_path.iterdir()) == []


def test_a_long_log_is_turned_over_once(tmp_path, monkeypatch):
    monkeypatch.setattr(log_module, "ROTATE_BYTES", 400)
    log = Log(str(tmp_path / "a.jsonl"))
    for place in range(40):
        log.event("stage", place=place)
    assert {path.name for path in tmp_path.iterdir()} == {"a.jsonl", "a.jsonl.1"}
    assert json.loads((tmp_path / "a.jsonl").read_text().splitlines()[-1])["place"] == 39
