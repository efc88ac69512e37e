"""What only long runs show: twelve weeks in any order, and a dump far larger than the memory that a run may have."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from folder_snapshot import list_of


@pytest.fixture(scope="module")
def twelve_weeks(runner, tmp_path_factory):
    """Twelve weekly dumps in order, and all that stands once they were run in that order."""
    from pipeline.demo.write import write_demo

    folder = tmp_path_factory.mktemp("weeks")
    write_demo(folder / "market", 60, 12, 4, "2026-W47")
    dumps = sorted((folder / "market" / "dumps").iterdir())
    runner.warm(folder / "warm", dumps[0])
    for dump in dumps:
        assert runner.run(folder / "in-order", dump)[0] == 0
    wanted = lists(folder / "in-order")
    assert len(wanted) == 12
    return dumps, wanted


def lists(data):
    """Every file of every list in force."""
    return {path.name: list_of(data, path.name) for path in (data / "shortlists").iterdir()}


@pytest.mark.soak
def test_twelve_weeks_in_ten_random_orders_are_the_same_bytes(runner, checkpoint, twelve_weeks, tmp_path):
    dumps, wanted = twelve_weeks
    for seed in checkpoint.left(range(10)):
        data = tmp_path / f"order-{seed}"
        order = random.Random(seed).sample(dumps, len(dumps))
        for dump in order:
            assert runner.run(data, dump)[0] == 0
        stale = lists(data) != wanted
        code, _, printed = runner.run(data, dumps[0], "--rebuild")
        assert code == 0, printed
        assert lists(data) == wanted
        checkpoint.add(seed, [dump.name for dump in order] if stale else [])
        shutil.rmtree(data)
    print(f"{len(checkpoint.entries)} orders, {sum(map(bool, checkpoint.entries.values()))} of them stale before --rebuild: equal bytes")


READ_ALL = """
import pathlib, resource, sys, pandas
held = [pandas.read_csv(path) for path in sorted(pathlib.Path(sys.argv[1]).iterdir())]
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.fixture
def memory_group():
    """A control group whose memory can be limited."""
    group = Path("/sys/fs/cgroup/memory") / f"shortlist-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text("-1")
    except OSError as error:
        pytest.skip(f"no group with a memory limit can be made here: {error.strerror}")
    yield group
    group.rmdir()


@pytest.mark.soak
def test_half_of_the_memory_that_pandas_needs_is_enough(memory_group, tmp_path):
    from pipeline.demo.write import write_demo

    write_demo(tmp_path / "market", 400, 1, 4, "2026-W47")
    dump = tmp_path / "market" / "dumps" / "2026-W47"
    head, *rows = (dump / "price_history.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    with (dump / "price_history.csv").open("w", encoding="utf-8") as handle:
        handle.write(head)
        for copy in range(8_000_000 // len(rows)):
            # The same prices of ever other products, their ids as long as ASINs are, which no candidate file names.
            handle.writelines(f"C{copy:03X}{row[4:]}" for row in rows)
    alone = subprocess.run([sys.executable, "-c", READ_ALL, str(dump)], capture_output=True, text=True, check=True)
    needed = int(alone.stdout) << 10
    (memory_group / "memory.limit_in_bytes").write_text(str(needed // 2))

    def enter():
        (memory_group / "cgroup.procs").write_text(str(os.getpid()))

    words = [sys.executable, "-m", "pipeline", "run", str(dump), "--data", str(tmp_path / "data"), "--workers", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, preexec_fn=enter)
    used = int((memory_group / "memory.max_usage_in_bytes").read_text())
    print(f"pandas {needed / 1e6:,.0f} MB, limit {needed / 2e6:,.0f} MB, used with the page cache {used / 1e6:,.0f} MB")
    assert done.returncode == 0, done.stderr
