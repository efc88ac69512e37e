"""The printed crontab line, run by a real cron daemon; skipped, with the reason, where none can be started."""

import datetime as dt
import os
import shutil
import subprocess
import time

import pytest

from pipeline.doctor import scheduled
from pipeline.schedule import cron_lines


def daemon(crontabs):
    """The words that start a cron daemon in the foreground which reads only that folder, or a skip."""
    if os.geteuid() != 0:
        pytest.skip("a cron daemon needs root to read a crontab that is not its own")
    for words in (["busybox", "crond"], ["crond"]):
        program = shutil.which(words[0])
        if program is None:
            continue
        # Only busybox's daemon takes a folder; cronie's and Debian's read the machine's own crontabs, which a test leaves alone.
        told = subprocess.run([program, *words[1:], "--help"], capture_output=True, text=True, check=False)
        if "-c DIR" in told.stdout + told.stderr:
            return [program, *words[1:], "-f", "-c", str(crontabs)]
    pytest.skip("no cron daemon here that takes a folder of crontabs (busybox crond)")


@pytest.mark.soak
def test_a_cron_daemon_runs_the_printed_line(small_market, tmp_path):
    crontabs, data = tmp_path / "crontabs", tmp_path / "shop data 100%"
    crontabs.mkdir()
    words = daemon(crontabs)
    shutil.copytree(small_market / "dumps" / "2026-W46", data / "dumps" / "2026-W46")
    soon = dt.datetime.now() + dt.timedelta(seconds=70)
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[soon.weekday()]
    told = scheduled(data, None, day=day, at=f"{soon:%H:%M}", zone=None, memory="75%")
    (crontabs / "root").write_text("\n".join(cron_lines(told)) + "\n")
    process = subprocess.Popen(words, env={"PATH": "/usr/bin:/bin"}, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 300
        while time.monotonic() < until and not (data / "shortlists" / "2026-W46").is_symlink():
            time.sleep(1)
    finally:
        process.terminate()
        process.wait()
    assert (data / "shortlists" / "2026-W46" / "shortlist.parquet").is_file(), (data / "cron.log").read_text()
    assert '"exit_code": 0' in (data / "shortlist.jsonl").read_text()
