"""A dump replaced, appended to or removed while it is read: the list is of one whole version and names its hash, or there is none."""

import hashlib
import json
import random
import shutil
import threading
import time

import pytest

WEEK = "2026-W47"


def versions(case, folder):
    """The dump as it is and as another export might be, in folders of their own."""
    first, second = folder / "first", folder / "second"
    shutil.copytree(case.ready / "dumps" / WEEK, first)
    shutil.copytree(first, second)
    for name in ("candidates.csv", "offers.csv"):
        head, *rows = (second / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (second / name).write_text(head + "".join(rows[: len(rows) * 2 // 3]), encoding="utf-8", newline="")
    return first, second


def hashes(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def replace(dump, first, second, dice):
    source = dice.choice([first, second])
    for name in dice.sample(["candidates.csv", "offers.csv"], 2):
        shutil.copy(source / name, dump / "..new")
        (dump / "..new").replace(dump / name)


def append(dump, first, second, dice):
    for name in ("candidates.csv", "offers.csv"):
        rows = (second / name).read_bytes()
        (dump / name).write_bytes(rows[: len(rows) // 2])
        with (dump / name).open("ab") as handle:
            handle.write(rows[len(rows) // 2 :])


def remove(dump, first, second, dice):
    (dump / dice.choice(["candidates.csv", "offers.csv"])).unlink(missing_ok=True)


def change_while_reading(case, runner, folder, count, dice):
    """Runs while another thread changes the dump; counts how they ended."""
    first, second = versions(case, folder)
    whole = [hashes(first), hashes(second)]
    ends = {}
    for place in range(count):
        data = case.fresh()
        dump = data / "dumps" / WEEK
        change = [replace, append, remove][place % 3]

        def disturb(dump=dump, change=change):
            for _ in range(3):
                time.sleep(dice.uniform(0, 0.15))
                change(dump, first, second, dice)

        child = runner.start(data)
        thread = threading.Thread(target=disturb)
        thread.start()
        code = runner.wait(child)
        thread.join()
        told = runner.report.read_text()
        assert code in (0, 11, 13) and "Traceback" not in told, told
        if code == 0:
            inputs = json.loads((data / "shortlists" / WEEK / "run.json").read_text())["inputs"]
            read = {entry["file"]: entry["sha256"] for entry in inputs}
            # Of a dump without its offers nothing else can be said than that this is what lay there.
            assert change is remove or read in whole, f"a list of no whole version: {read}"
        else:
            assert told.count("\n") == 1, told
        ends[code] = ends.get(code, 0) + 1
        shutil.rmtree(data)
    return ends


def test_a_dump_that_changes_while_it_is_read(case, runner, tmp_path):
    change_while_reading(case, runner, tmp_path, 3, random.Random(4))


@pytest.mark.soak
def test_a_dump_that_changes_two_hundred_times(case, runner, tmp_path):
    print(f"runs by exit code: {change_while_reading(case, runner, tmp_path, 200, random.Random(1))}")


def test_a_dump_that_grows_while_it_is_read_is_refused(case, tmp_path, monkeypatch):
    from pipeline import run, tasks
    from pipeline.errors import DumpError

    dump = tmp_path / WEEK
    shutil.copytree(case.ready / "dumps" / WEEK, dump)
    real = tasks.read_task

    def appending(task):
        with task.file.path.open("a") as handle:
            handle.write("B0LATE,late,9.99,USD\n")
        return real(task)

    monkeypatch.setattr(run, "read_task", appending)
    with pytest.raises(DumpError):
        run.run_week(run.Options(data=tmp_path / "data", dump=dump))
    assert not (tmp_path / "data" / "shortlists").exists()
