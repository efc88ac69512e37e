"""A dump replaced, appended to or removed while it is read: the list comes from one complete version and holds its hashes, or there is none."""

import hashlib
import json
import random
import shutil
import threading
import time
from collections import Counter

import pytest
from folder_snapshot import list_of

WEEK = "2026-W47"


@pytest.fixture(scope="module")
def versions(case, runner, tmp_path_factory):
    """The dump as it is and as another export might be, each in a folder with its files' hashes and the list that it gives."""
    folder = tmp_path_factory.mktemp("versions")
    first, second = folder / "first", folder / "second"
    shutil.copytree(case.ready / "dumps" / WEEK, first)
    shutil.copytree(first, second)
    for name in ("candidates.csv", "offers.csv"):
        head, *rows = (second / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (second / name).write_text(head + "".join(rows[: len(rows) * 2 // 3]), encoding="utf-8", newline="")
    data = case.fresh()
    for path in second.iterdir():
        shutil.copy(path, data / "dumps" / WEEK)
    assert runner.run(data)[0] == 0
    return (first, hashes(first), case.new), (second, hashes(second), list_of(data, WEEK))


def hashes(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def replace(dump, first, second, generator):
    source = generator.choice([first, second])
    for name in generator.sample(["candidates.csv", "offers.csv"], 2):
        shutil.copy(source / name, dump / "..new")
        (dump / "..new").replace(dump / name)


def append(dump, first, second, generator):
    for name in ("candidates.csv", "offers.csv"):
        rows = (second / name).read_bytes()
        (dump / name).write_bytes(rows[: len(rows) // 2])
        with (dump / name).open("ab") as handle:
            handle.write(rows[len(rows) // 2 :])


def remove(dump, first, second, generator):
    (dump / generator.choice(["candidates.csv", "offers.csv"])).unlink(missing_ok=True)


CHANGES = (replace, append, remove)


def change_while_reading(case, runner, versions, place):
    """A run while another thread changes the dump in the place-th way; returns its exit code."""
    first, second = (folder for folder, _, _ in versions)
    data, generator = case.fresh(), random.Random(place)
    dump, change = data / "dumps" / WEEK, CHANGES[place % len(CHANGES)]

    def disturb():
        for _ in range(3):
            time.sleep(generator.uniform(0, 0.15))
            change(dump, first, second, generator)

    child = runner.start(data)
    thread = threading.Thread(target=disturb)
    thread.start()
    code = runner.wait(child)
    thread.join()
    printed = runner.report.read_text()
    assert code in (0, 11, 13) and "Traceback" not in printed, printed
    if code == 0:
        inputs = json.loads((data / "shortlists" / WEEK / "run.json").read_text())["inputs"]
        read = {entry["file"]: entry["sha256"] for entry in inputs}
        wanted = [made for _, known, made in versions if known == read]
        # Of a dump without its offers nothing else can be said than that this is what lay there.
        assert wanted == [list_of(data, WEEK)] or (change is remove and not wanted), f"a list of no whole version: {read}"
    else:
        assert printed.count("\n") == 1, printed
        assert list_of(data, WEEK) == case.old
    shutil.rmtree(data)
    return code


@pytest.mark.parametrize("place", range(3))
def test_a_dump_that_changes_while_it_is_read(case, runner, versions, place):
    change_while_reading(case, runner, versions, place)


@pytest.mark.soak
def test_a_dump_that_changes_two_hundred_times(case, runner, checkpoint, versions):
    for place in checkpoint.left(range(200)):
        checkpoint.add(place, change_while_reading(case, runner, versions, place))
    for way, change in enumerate(CHANGES):
        codes = Counter(code for place, code in checkpoint.entries.items() if place % len(CHANGES) == way)
        print(f"{change.__name__}: runs by exit code {dict(sorted(codes.items()))}")


def test_a_dump_that_grows_while_it_is_read_is_refused(case, tmp_path, monkeypatch):
    from pipeline.errors import DumpError
    from pipeline.runs import read_task, week_run

    dump = tmp_path / WEEK
    shutil.copytree(case.ready / "dumps" / WEEK, dump)
    real = read_task.read_task

    def appending(task):
        with task.file.path.open("a") as handle:
            handle.write("B0LATE,late,9.99,USD\n")
        return real(task)

    monkeypatch.setattr(week_run, "read_task", appending)
    with pytest.raises(DumpError):
        week_run.run_week(week_run.Options(data=tmp_path / "data", dump=dump))
    assert not (tmp_path / "data" / "shortlists").exists()
