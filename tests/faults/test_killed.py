"""Killed, stopped, locked out, or refused by the disk: the old list or the new one stands whole, and the next run needs no help."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

FILES = ("shortlist.parquet", "decisions.parquet", "set_aside.parquet", "unmatched_offers.parquet", "run.json")


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    from pipeline.demo.write import write_demo

    folder = tmp_path_factory.mktemp("faults") / "demo"
    write_demo(folder, 120, 2, 3, "2026-W47")
    return folder


@pytest.fixture(scope="module")
def undisturbed(market, tmp_path_factory):
    """The bytes of the second week after the first, run without a fault."""
    data = tmp_path_factory.mktemp("undisturbed")
    return {week: run_here(data, market / "dumps" / week) for week in ("2026-W46", "2026-W47")}


def run_here(data, dump):
    from pipeline.run import Options, run_week

    folder = run_week(Options(data=data, dump=dump)).folder
    return {name: (folder / name).read_bytes() for name in FILES if name != "run.json"}


def start(dump, data):
    words = [sys.executable, "-m", "pipeline", "run", str(dump), "--data", str(data)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def whole(data, week):
    """The files of the week's list in force, None where there is none; fails on a list that is not whole."""
    pointer = data / "shortlists" / week
    if not pointer.is_symlink():
        return None
    for name in FILES:
        assert (pointer / name).is_file()
        if name.endswith(".parquet"):
            pq.read_table(pointer / name)
    return {name: (pointer / name).read_bytes() for name in FILES if name != "run.json"}


def orphans(data):
    return [path for path in data.rglob("*") if path.name.startswith(".tmp-")]


@pytest.mark.parametrize("round_", range(8))
def test_sigkill_at_a_random_moment_leaves_the_old_list_or_the_new_one(market, undisturbed, tmp_path, round_):
    run_here(tmp_path, market / "dumps" / "2026-W46")
    process = start(market / "dumps" / "2026-W47", tmp_path)
    time.sleep(random.Random(round_).uniform(0.05, 2.2))
    process.kill()
    process.communicate()
    assert whole(tmp_path, "2026-W46") == undisturbed["2026-W46"]
    assert whole(tmp_path, "2026-W47") in (None, undisturbed["2026-W47"])
    assert run_here(tmp_path, market / "dumps" / "2026-W47") == undisturbed["2026-W47"]
    assert orphans(tmp_path) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_with_its_own_code_and_without_leftovers(market, tmp_path, number, code):
    process = start(market / "dumps" / "2026-W47", tmp_path)
    while not (tmp_path / ".lock").exists():
        time.sleep(0.01)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code and "Traceback" not in told
    assert orphans(tmp_path) == [] and whole(tmp_path, "2026-W47") is None


def test_a_second_run_leaves_at_once_with_75(market, tmp_path):
    from pipeline.store import DataFolder

    with DataFolder(tmp_path).lock():
        process = start(market / "dumps" / "2026-W47", tmp_path)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 75 and told.count("\n") == 1 and "holds the lock" in told
    assert not (tmp_path / "shortlists").exists()


def test_each_failing_write_leaves_the_old_list_or_the_new_one(market, undisturbed, tmp_path, monkeypatch):
    """Fail the N-th call that changes the disk, for every N, until a run goes through."""
    from pathlib import Path

    from pipeline.errors import NotWritten

    run_here(tmp_path / "ready", market / "dumps" / "2026-W46")
    calls = {"left": 0}

    def failing(real):
        def call(*arguments, **named):
            calls["left"] -= 1
            if calls["left"] == 0:
                raise OSError(28, os.strerror(28), str(arguments[0]))
            return real(*arguments, **named)

        return call

    for owner, name in ((Path, "rename"), (Path, "replace"), (Path, "symlink_to"), (Path, "mkdir"), (os, "fsync"), (Path, "write_bytes")):
        monkeypatch.setattr(owner, name, failing(getattr(owner, name)))
    for attempt in range(1, 200):
        data = tmp_path / f"try-{attempt}"
        calls["left"] = 0
        shutil.copytree(tmp_path / "ready", data, symlinks=True)
        calls["left"] = attempt
        try:
            run_here(data, market / "dumps" / "2026-W47")
            went_through = True
        except NotWritten as refusal:
            went_through = False
            assert "No space left" in str(refusal) and refusal.exit_code == 14
        calls["left"] = 0
        assert whole(data, "2026-W46") == undisturbed["2026-W46"]
        assert whole(data, "2026-W47") in ((undisturbed["2026-W47"],) if went_through else (None, undisturbed["2026-W47"]))
        assert run_here(data, market / "dumps" / "2026-W47") == undisturbed["2026-W47"]
        shutil.rmtree(data)
        if went_through:
            break
    assert went_through and attempt > 8


def test_a_dump_that_changes_while_it_is_read_is_refused(market, tmp_path, monkeypatch):
    from pipeline import tasks
    from pipeline.errors import DumpError

    dump = tmp_path / "2026-W47"
    shutil.copytree(market / "dumps" / "2026-W47", dump)
    real = tasks.read_task

    def appending(task):
        with task.file.path.open("a") as handle:
            handle.write("B0LATE,late,9.99,USD\n")
        return real(task)

    monkeypatch.setattr("pipeline.run.read_task", appending)
    with pytest.raises(DumpError):
        run_here(tmp_path / "data", dump)
    assert whole(tmp_path / "data", "2026-W47") is None
