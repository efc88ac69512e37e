"""A dump folder with a wrong name is reported, never skipped silently."""

import shutil

import pytest


@pytest.fixture
def data(make_dump, run, tmp_path):
    dump = make_dump("2026-W46")
    (tmp_path / "data" / "dumps").mkdir(parents=True)
    shutil.copytree(dump, tmp_path / "data" / "dumps" / "2026-W46")
    run(None)
    return tmp_path / "data"


def upload(data, name):
    shutil.copytree(data / "dumps" / "2026-W46", data / "dumps" / name)


@pytest.mark.parametrize(
    "name", ["2026-w47", "2026W47", "20261122", "2026-W47 (1)", "2026-W47 ", "2026-W47 - Copy", "2026_11_22", "KW47 2026", "２０２６-W47"]
)
def test_a_name_that_plainly_means_a_newer_week_ends_as_13_with_the_right_name(data, command, name):
    upload(data, name)
    done = command("run", "--data", data)
    assert done.returncode == 13
    assert str(data / "dumps" / name) in done.stderr.replace("\N{REPLACEMENT CHARACTER}", " ") and "rename it to 2026-W47" in done.stderr


@pytest.mark.parametrize("name", ["2026-w45", "2026-W46 (1)", "old exports", "2026-W99"])
def test_any_other_name_that_is_no_week_is_warned_of(data, command, tmp_path, name):
    upload(data, name)
    log = tmp_path / "run.log"
    done = command("run", "--data", data, "--log", log)
    assert done.returncode == 0 and f"{name}: not read, its name is no week" in done.stderr
    assert "misnamed_dump" in log.read_text("utf-8")


def test_a_week_that_is_named_is_run_all_the_same(data, command):
    upload(data, "2026-w47")
    assert command("run", "--data", data, "--week", "2026-W46").returncode == 0
