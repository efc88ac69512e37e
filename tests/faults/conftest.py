"""Whole runs, forked from a process that has loaded all libraries, so that hundreds of them are cheap; faults need a C compiler."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from folder_snapshot import everything, list_of
from soak_progress import Checkpoint

HERE = Path(__file__).parent
WEEK = "2026-W47"


class Runner:
    """Starts runs of one data folder; `run` waits for a run and returns its exit code, its calls and its output."""

    def __init__(self, folder, shim=None):
        self.report, self.can_fail = folder / "report.txt", shim is not None
        more = {"LD_PRELOAD": str(shim)} if shim else {}
        environment = os.environ | {"OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1", "SHORTLIST_PING": "", "SHORTLIST_NOTIFY": ""} | more
        words = [sys.executable, str(HERE / "zygote.py")]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment | {"PYTHONPATH": str(HERE.parents[1])}
        )
        assert self._process.stdout.readline() == "ready\n"

    def warm(self, data, *words):
        """Run once in the process itself, so that everything is compiled and cached for its children."""
        assert json.loads(self._ask({"warm": ["run", "--data", str(data), "--workers", "1", *map(str, words)]})) == 0

    def start(self, data, *words, fault=None):
        """The process id of a new run."""
        command = ["run", "--data", str(data), "--workers", "1", *map(str, words)]
        return int(self._ask({"words": command, "report": str(self.report), "fault": fault}))

    def wait(self, child):
        """The exit code of a run, or the negative number of the signal that ended it."""
        return self._end(child)[0]

    def run(self, data, *words, fault=None):
        """Exit code, calls seen and output of a run."""
        code, calls = self._end(self.start(data, *words, fault=fault))
        return code, calls, self.report.read_text(errors="replace")

    def _end(self, child):
        return json.loads(self._ask({"wait": child}))

    def _ask(self, order):
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def stop(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


@pytest.fixture(scope="session")
def runner(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runner")
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    shim = None
    if compiler is not None and sys.platform.startswith("linux"):
        shim = folder / "faults.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(shim), str(HERE / "faults.c"), "-ldl"], check=True)
    made = Runner(folder, shim)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def failing(runner):
    """A runner whose file-system calls can be made to fail."""
    if not runner.can_fail:
        pytest.skip("no C compiler, or no Linux: calls cannot be made to fail from outside")
    return runner


@pytest.fixture(scope="session")
def small_market(tmp_path_factory):
    """A market of sixty products and two weeks."""
    from pipeline.demo.write import write_demo

    folder = tmp_path_factory.mktemp("market") / "demo"
    write_demo(folder, 60, 2, 4, WEEK)
    return folder


class Case:
    """A data folder with last week's list and an older list of this week, and the bytes that an undisturbed run would leave."""

    def __init__(self, folder, market, runner):
        self.ready, self.folder, self.runner = folder / "ready", folder, runner
        self._runs, self._recovered = 0, set()
        shutil.copytree(market / "dumps", self.ready / "dumps")
        runner.warm(folder / "warm", self.ready / "dumps" / WEEK)
        assert runner.run(self.ready, "--week", "2026-W46")[0] == 0
        # This week's older list is made of last week's dump: another one than the run under test will make.
        assert runner.run(self.ready, self.ready / "dumps" / "2026-W46", "--week", WEEK)[0] == 0
        self.last, self.old = list_of(self.ready, "2026-W46"), list_of(self.ready, WEEK)
        done = self.fresh()
        assert runner.run(done)[0] == 0
        self.new, self.whole = list_of(done, WEEK), everything(done)
        assert self.new != self.old

    def fresh(self):
        """A copy of the folder as it is before the run under test."""
        self._runs += 1
        data = self.folder / f"data-{self._runs}"
        shutil.copytree(self.ready, data, symlinks=True)
        return data

    def check(self, data, code, printed):
        """The invariant: last week's list and the old or the new list are complete; 0 only with the new one, else one line and no traceback."""
        assert list_of(data, "2026-W46") == self.last
        stands = list_of(data, WEEK)
        assert stands in (self.old, self.new), "neither the old list nor the new one"
        assert code != 0 or stands == self.new, "exit 0 without the new list"
        assert "Traceback" not in printed and code != 1, printed
        return stands == self.new

    def recover(self, data):
        """The next run succeeds without cleaning and leaves the files of an undisturbed run, and no others."""
        left = state_of(data)
        if left in self._recovered:  # byte for byte what another disturbed run left, and that was seen to recover
            return
        code, _, printed = self.runner.run(data)
        assert code == 0, printed
        assert everything(data) == self.whole
        self._recovered.add(left)


def state_of(data):
    """A hash of a folder's content; the random name of a killed run's work folder does not count."""
    content = {re.sub(r"\.tmp-work-\w+", ".tmp-work", name): held for name, held in everything(data).items()}
    return hashlib.sha256(repr(sorted(content.items())).encode()).hexdigest()


@pytest.fixture(scope="session")
def case(runner, small_market, tmp_path_factory):
    return Case(tmp_path_factory.mktemp("case"), small_market, runner)


@pytest.fixture
def checkpoint(request):
    """The checkpoint of this long test; the test is skipped when the time of this soak is up."""
    from pipeline.config.files import code_digest

    return Checkpoint(f"{Path(request.node.path).stem}-{request.node.name}", code_digest(), pytest.skip)
