"""Progress on a terminal: what it says, where it is drawn, and that it changes nothing."""

import io
import sys

import pytest

from pipeline.cli.progress import progress_line
from pipeline.engine import Counts, Work, executor, report_progress, run_all
from pipeline.messages import Words

FILES = ("shortlist.parquet", "decisions.parquet", "set_aside.parquet", "unmatched_offers.parquet")


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def told(tmp_path, dump, monkeypatch, stderr, *words):
    """What a run writes to a given stderr, and the bytes of its list."""
    from pipeline.cli import shortlist

    data = tmp_path / "-".join(["data", type(stderr).__name__, *words])
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    shortlist.main(["run", str(dump), "--data", str(data), "--lang", "en", *words], standalone_mode=False)
    (week,) = (data / "shortlists").iterdir()
    return stderr.getvalue(), [(week / name).read_bytes() for name in FILES]


def test_a_terminal_is_shown_the_way_and_the_list_is_the_same(make_dump, tmp_path, monkeypatch):
    dump = make_dump()
    shown, watched = told(tmp_path, dump, monkeypatch, Terminal())
    assert " of 0 MB, " in shown and " rows a second, " in shown and "1 of 1 buckets, 0:00:00 left" in shown
    piped, unwatched = told(tmp_path, dump, monkeypatch, io.StringIO())
    assert "buckets" not in piped and "\x1b" not in piped
    assert watched == unwatched


@pytest.mark.parametrize("word", ["--quiet", "--json"])
def test_nothing_is_drawn_for_who_wants_quiet_or_json(make_dump, tmp_path, monkeypatch, capsys, word):
    shown, _ = told(tmp_path, make_dump(), monkeypatch, Terminal(), word)
    assert " left" not in shown and "\x1b" not in shown


@pytest.mark.parametrize(("language", "wanted"), [
    ("en", "250 of 1,000 MB, 50,000 rows a second, 0:01:00 left"), ("zh", "已读 250 / 1,000 MB，每秒 50,000 行，还需 0:01:00"),
])  # fmt: skip
def test_time_left_follows_from_the_pace_so_far(language, wanted):
    work = Work(1_000_000_000, True, lambda: (250_000_000, 1_000_000))
    assert progress_line(work, 20.0, Words(language)) == wanted


def test_nobody_can_say_how_long_before_anything_is_done():
    assert progress_line(Work(4, False, lambda: (0, 0)), 3.0, Words()) == "0 of 4 buckets, ? left"
    assert progress_line(Work(4, False, lambda: (1, 0)), 3.0, Words()) == "1 of 4 buckets, 0:00:09 left"
    assert "0 rows a second" in progress_line(Work(4, True, lambda: (0, 0)), 0.0, Words())


def count(place):
    report_progress(place, 10 * (place + 1), place)
    return place


@pytest.mark.parametrize("workers", [1, 2])
def test_what_tasks_have_read_adds_up_over_processes(workers):
    counts, futures = Counts(3), []
    with executor(workers, counts) as pool:
        assert run_all(pool, count, range(3), futures) == [0, 1, 2]
    assert counts.read() == (60, 3) and len(futures) == 3
    report_progress(0, 999, 999)  # after the run nobody counts any more
    assert counts.read() == (60, 3)


def test_a_file_is_counted_while_it_is_read(tmp_path, monkeypatch):
    from pipeline import engine
    from pipeline.config.files import load_plan
    from pipeline.ingest.containers.dump_files import list_dump
    from pipeline.runs.read_task import ReadTask, read_context, read_task

    path = tmp_path / "2026-W47" / "price_history.csv"
    path.parent.mkdir()
    lines = (f"B0{place:08d},2026-11-{1 + place % 20:02d},{1 + place % 90}.99,USD\n" for place in range(600_000))
    path.write_text("product_id,date,price,currency\n" + "".join(lines))
    seen = []
    monkeypatch.setattr(engine, "report_progress", lambda place, size, rows: seen.append((size, rows)))
    (file,) = list_dump(path.parent)
    work = tmp_path / "work"
    work.mkdir()
    read_task(ReadTask(file, 0, read_context(load_plan(None)), work, 1))
    assert seen == sorted(seen) and seen[-1] == (path.stat().st_size, 600_000)
    assert seen[0][0] > 0 and seen[0][1] < 600_000  # not only at the end
