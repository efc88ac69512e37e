"""Runs killed or stopped at any moment: the old list or the new one is complete, and the next run leaves no extra files."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

ROUND = 10  # kills of one data folder, one after the other, before it must recover


def seconds_of(case, runner):
    """How long a whole run takes here and now."""
    data = case.fresh()
    begin = time.monotonic()
    assert runner.run(data)[0] == 0
    return time.monotonic() - begin


def stop_at_random(case, runner, number, count, generator, whole_seconds):
    """End `count` runs at random moments, one after the other in one folder; how many were hit and how many left the new list."""
    hit = written = 0
    data = case.fresh()
    for _ in range(count):
        child = runner.start(data)
        time.sleep(generator.uniform(0.0, whole_seconds * 1.1))
        os.kill(child, number)
        status = runner.wait(child)
        assert status in (-number, 128 + number, 0), runner.report.read_text()
        hit += status != 0
        # A killed process may print anything; only the files on the disk are checked.
        is_new = case.check(data, status if status >= 0 else 137, runner.report.read_text() if status >= 0 else "")
        leavings = sum(1 for path in data.rglob(".tmp-*") if path.parent == data)
        assert leavings <= 1, "what a killed run left was not swept by the next"
        if is_new:  # another run would find it up to date and be over before it is hit
            written += 1
            case.recover(data)
            shutil.rmtree(data)
            data = case.fresh()
    case.recover(data)
    shutil.rmtree(data)
    return hit, written


def test_sigkill_at_random_moments(case, runner):
    hit, _ = stop_at_random(case, runner, signal.SIGKILL, 6, random.Random(9), seconds_of(case, runner))
    assert hit >= 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_random_moments(case, runner, number):
    stop_at_random(case, runner, number, 2, random.Random(number), seconds_of(case, runner))


@pytest.mark.soak
@pytest.mark.parametrize(("number", "count"), [(signal.SIGKILL, 1000), (signal.SIGTERM, 20), (signal.SIGINT, 20)])
def test_signals_for_long(case, runner, checkpoint, number, count):
    for place in checkpoint.left(range(count // ROUND)):
        checkpoint.add(place, stop_at_random(case, runner, number, ROUND, random.Random(place), seconds_of(case, runner)))
    hit, written = (sum(counts) for counts in zip(*checkpoint.entries.values(), strict=True))
    print(f"{count} signals {number}: {hit} hit a run, {written} found the new list written")
    assert hit > count * 0.7


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_command_with_its_own_code_and_without_leftovers(small_market, tmp_path, number, code):
    words = [sys.executable, "-m", "pipeline", "run", str(small_market / "dumps" / "2026-W47"), "--data", str(tmp_path)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / ".lock").exists():
        time.sleep(0.01)
    process.send_signal(number)
    _, printed = process.communicate(timeout=120)
    assert process.returncode == code and printed.count("\n") == 1 and "Traceback" not in printed
    assert not list(tmp_path.rglob(".tmp-*")) and not (tmp_path / "shortlists").exists()


def at_once(case, runner, processes):
    """Start several runs of one folder together; gives their exit codes, and how many runs stand there afterwards."""
    data = case.fresh()
    before = len(list(data.glob("runs/*/*")))
    children = [runner.start(data) for _ in range(processes)]
    codes = sorted(runner.wait(child) for child in children)
    case.check(data, 0, "")
    return codes, len(list(data.glob("runs/*/*"))) - before


def test_of_several_runs_at_once_one_writes(case, runner):
    codes, made = at_once(case, runner, 5)
    # One that comes when the first has ended already finds the list up to date, which is no second writing.
    assert made == 1 and set(codes) <= {0, 75} and 0 in codes


@pytest.mark.soak
def test_five_at_once_twenty_times(case, runner, checkpoint):
    for place in checkpoint.left(range(20)):
        checkpoint.add(place, at_once(case, runner, 5))
    found = list(checkpoint.entries.values())
    assert all(made == 1 and set(codes) <= {0, 75} for codes, made in found)
    print(f"{sum(codes == [0, 75, 75, 75, 75] for codes, _ in found)} of 20 rounds: one wrote, four left with 75")


def test_a_second_run_leaves_before_it_has_loaded_anything(case, tmp_path):
    from pipeline.store import lock

    code = "import sys; from pipeline.cli import main\ntry: main()\nfinally: print('pandas' in sys.modules)"
    with lock.hold(tmp_path):
        words = [sys.executable, "-c", code, "run", str(case.ready / "dumps" / "2026-W47"), "--data", str(tmp_path)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=lock.__file__.rsplit("/", 3)[0])
    assert done.returncode == 75 and done.stdout == "False\n" and done.stderr.count("\n") == 1
    assert f"process {os.getpid()}" in done.stderr
