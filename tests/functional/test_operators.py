"""What happens to a data folder over the years: damaged files, copies, leftovers of other users, other disks, a clock set back, no memory."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from pipeline import engine
from pipeline.errors import DumpError, NotWritten
from pipeline.store import data_folder, disk
from pipeline.store.data_folder import DataFolder

WEEKS = ("2026-W46", "2026-W47")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data folder with two weeks run, and their dumps in it."""
    from pipeline.demo.write import write_demo
    from pipeline.runs.week_run import Options, run_week

    folder = tmp_path_factory.mktemp("operators")
    write_demo(folder / "market", 60, 2, 4, WEEKS[1])
    data = folder / "data"
    shutil.copytree(folder / "market" / "dumps", data / "dumps")
    for week in WEEKS:
        run_week(Options(data=data, week=week, dump=data / "dumps" / week))
    return data


@pytest.fixture
def data(made, tmp_path):
    shutil.copytree(made, tmp_path / "data", symlinks=True)
    return tmp_path / "data"


def run_again(data, **options):
    """The newest week once more, with a list of another length: a run that is not up to date."""
    from pipeline.runs.week_run import Options, run_week

    return run_week(Options(**{"data": data, "dump": data / "dumps" / WEEKS[1], "top": 7} | options))


def cut(path):
    os.truncate(path, 40)


def last_run(data):
    return (data / "shortlists" / WEEKS[0]).resolve()


def kept_week(data):
    return next((data / "store" / "weeks").glob(f"{WEEKS[0]}*"))


@pytest.mark.parametrize(("harm", "told"), [
    (lambda data: cut(last_run(data) / "run.json"), "run.json: damaged or incomplete; restore its folder from a backup"),
    (lambda data: cut(last_run(data) / "shortlist.parquet"), "shortlist.parquet: damaged or incomplete; restore its folder"),
    (lambda data: cut(kept_week(data) / "prices-US.parquet"), "prices-US.parquet: damaged or incomplete; restore store/weeks"),
    (lambda data: shutil.rmtree(kept_week(data)), "missing, although its weeks count; restore store/weeks"),
], ids=["run.json", "the last list", "kept prices", "a kept week"])  # fmt: skip
def test_what_stands_damaged_is_named_with_its_cure_and_nothing_is_made_of_it(data, harm, told):
    before = (data / "shortlists" / WEEKS[1]).readlink()
    harm(data)
    with pytest.raises(NotWritten, match=told) as refusal:
        run_again(data)
    assert refusal.value.exit_code == 14 and "\n" not in str(refusal.value)
    assert (data / "shortlists" / WEEKS[1]).readlink() == before and not list(data.glob(".tmp-*"))


def test_too_many_open_files_are_no_reason_to_remove_what_stands(tmp_path):
    with pytest.raises(OSError, match="open files") as raised, disk.kept(tmp_path, "remove it"):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    assert not isinstance(raised.value, NotWritten)


def test_a_copy_of_the_folder_that_followed_its_links_is_told_of_before_any_work(data):
    pointer = data / "shortlists" / WEEKS[1]
    target = pointer.resolve()
    pointer.unlink()
    shutil.copytree(target, pointer)
    with pytest.raises(NotWritten, match="a copy where a link into runs/ belongs; move it away"):
        run_again(data)


def test_leavings_of_another_user_are_passed_over_and_told(data, monkeypatch):
    left = data / ".tmp-work-0123"
    left.mkdir()

    def refuse(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(data_folder, "remove", refuse)
    assert DataFolder(data).sweep() == (left,)


def test_the_newest_dump_is_refused_and_not_passed_over_when_it_cannot_be_listed(data, monkeypatch):
    from pipeline.runs.inputs import find_dump

    closed, scandir, listdir = data / "dumps" / WEEKS[1], os.scandir, os.listdir

    def refuse(instead):
        def look(path="."):
            if not isinstance(path, int) and Path(path) == closed:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return instead(path)

        return look

    monkeypatch.setattr(os, "scandir", refuse(scandir))
    monkeypatch.setattr(os, "listdir", refuse(listdir))
    dump, week, _ = find_dump(DataFolder(data), None, None, False)
    assert (dump, week) == (closed, WEEKS[1])
    with pytest.raises(DumpError, match="2026-W47: Permission denied; make it readable"):
        run_again(data, dump=None)


def test_a_file_name_that_is_no_utf_8_is_refused_by_name(data):
    path = os.fsencode(data / "dumps" / WEEKS[1]) + b"/caf\xe9.csv"
    try:
        Path(os.fsdecode(path)).write_text("product_id\n")
    except OSError:
        pytest.skip("this file system takes no such names")
    with pytest.raises(DumpError, match="a file name that is not UTF-8; rename it") as refusal:
        run_again(data)
    assert str(refusal.value).isascii()


def test_runs_on_another_disk_are_copied_there_whole(data, monkeypatch):
    rename = Path.rename

    def across(self, target):
        if (self.parent.name.startswith(".tmp-work")) != (Path(target).parent.name.startswith(".tmp-work")):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(self), None, str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", across)
    result = run_again(data)
    assert (data / "shortlists" / WEEKS[1]).resolve() == result.folder.resolve()
    assert sorted(result.manifest["outputs"]) == sorted(path.name for path in result.folder.iterdir() if path.name != "run.json")
    assert not list(data.rglob(".tmp-*"))


def test_after_the_clock_went_back_the_list_in_force_is_still_its_weeks_newest(data):
    from pipeline.unattended.history import prune

    old, last = (data / "shortlists" / WEEKS[1]).resolve(), last_run(data)
    new = run_again(data).folder.resolve()
    os.utime(old / "run.json", (4e9, 4e9))
    (data / "runs" / "2026-W48").mkdir()
    (data / "runs" / "2026-W49").mkdir()
    for week in ("2026-W48", "2026-W49"):  # two newer weeks, whose lists always stay
        shutil.copytree(old, data / "runs" / week / "0123")
        (data / "shortlists" / week).symlink_to(Path("..") / "runs" / week / "0123")
    assert prune(DataFolder(data), 3) == (f"{WEEKS[0]}/{last.name}", f"{WEEKS[1]}/{old.name}")
    assert (data / "shortlists" / WEEKS[1]).resolve() == new


def test_without_shared_memory_one_is_told_to_use_one_worker(monkeypatch):
    def none(*arguments, **more):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(engine, "ProcessPoolExecutor", none)
    with pytest.raises(NotWritten, match="/dev/shm: Read-only file system; run again with --workers 1"), engine.executor(2):
        pass


@pytest.mark.parametrize("error", [
    MemoryError(), RuntimeError("can't start new thread"), Exception("Unknown error: Failed to launch worker thread: Resource temporarily unavailable"),
], ids=str)  # fmt: skip
def test_memory_that_runs_out_is_no_bug(error):
    from pipeline.unattended.supervisor import end_of

    code, told = end_of(error)
    assert code == 14 and "run again with --workers 1" in told and "\n" not in told
    assert end_of(RuntimeError("anything else"))[0] == 1


def test_a_log_that_cannot_be_written_is_said(data, command):
    done = command("run", data / "dumps" / WEEKS[1], "--data", data, "--log", data / "nowhere" / "log.jsonl")
    assert done.returncode == 0 and "the log cannot be written: " in done.stderr and "No such file" in done.stderr


def test_check_and_doctor_name_a_file_that_cannot_be_read(data, command, monkeypatch):
    path = data / "dumps" / WEEKS[1] / "offers.csv"
    is_open, opened = os.access, Path.open

    def refuse(self, *arguments, **more):
        if self == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return opened(self, *arguments, **more)

    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != path and is_open(place, mode))
    monkeypatch.setattr(Path, "open", refuse)
    done = command("check", data / "dumps" / WEEKS[1])
    assert done.returncode == 11 and "offers.csv: Permission denied; make it readable" in done.stdout
    done = command("doctor", "--data", data)
    assert done.returncode == 11 and "offers.csv cannot be read by " in done.stdout
