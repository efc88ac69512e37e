"""A disk that runs full in the middle of a run: exit 14, the last list can be read, and there is a list once there is space."""

import shutil
import subprocess

import pytest

PASSES = 10


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    """A file system of 8 MB."""
    place = tmp_path_factory.mktemp("disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(place, leave):
    """Take all the space of a file system but `leave` bytes."""
    free = shutil.disk_usage(place).free
    (place / "filler").write_bytes(b"\0" * max(0, free - leave))


def run_with(case, runner, disk, leave):
    data = disk / "data"
    shutil.copytree(case.ready, data, symlinks=True)
    fill(disk, leave)
    code, _, printed = runner.run(data)
    case.check(data, code, printed)
    (disk / "filler").unlink()
    case.recover(data)
    shutil.rmtree(data)
    return code, printed


def test_a_full_disk_is_14_and_the_next_run_succeeds(case, runner, small_disk):
    code, printed = run_with(case, runner, small_disk, 60_000)
    assert code == 14 and "No space left" in printed and printed.count("\n") == 1


@pytest.mark.soak
def test_a_disk_that_is_full_after_so_many_bytes(case, runner, small_disk):
    codes = [run_with(case, runner, small_disk, leave)[0] for leave in range(0, 40_000 * PASSES, 40_000)]
    print(f"exit codes as space grows: {codes}")
    assert set(codes) <= {0, 14} and codes.count(14) >= 3
