"""The printed crontab line, run by real cron daemons; skipped, with the reason, where none can be started."""

import datetime as dt
import json
import os
import shutil
import subprocess
import time

import pytest

from pipeline.unattended.machine import scheduled
from pipeline.unattended.schedule import cron_lines

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Debian's cron and cronie read the machine's own folders, which a test leaves alone: in a mount namespace of its own the daemon finds
# the test's folders in their place.
OWN_NAMESPACE = """
set -e
spool=$1; place=$2; shift 2
for folder in /etc/cron.d /run; do [ ! -d $folder ] || mount --bind "$place/empty" $folder; done
[ ! -f /etc/crontab ] || mount --bind /dev/null /etc/crontab
mount --bind "$place/crontabs" "$spool"
exec "$@"
"""


def busybox(place):
    """Reads the folder that it is given; Debian's package busybox-static has it."""
    program = shutil.which("busybox")
    if program is None or "crond" not in subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split():
        pytest.skip("no busybox with crond here (Debian: busybox-static)")
    return [program, "crond", "-f", "-l", "0", "-L", str(place / "crond.log"), "-c", str(place / "crontabs")]


def systems_own(place):
    """The cron of Debian or Red Hat, with the test's own folders."""
    program = next((found for name in ("cron", "crond") if (found := shutil.which(name))), None)
    spool = next((folder for folder in ("/var/spool/cron/crontabs", "/var/spool/cron") if os.path.isdir(folder)), None)
    if program is None or spool is None:
        pytest.skip("neither Debian's cron nor cronie is installed")
    words = ["unshare", "--mount", "sh", "-c", OWN_NAMESPACE, "sh", spool, str(place)]
    tried = subprocess.run([*words, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no mount namespace can be made here: {tried.stderr.strip()}")
    return [*words, program, "-f" if program.endswith("cron") else "-n"]


@pytest.mark.soak
@pytest.mark.parametrize("daemon", [busybox, systems_own])
def test_a_cron_daemon_runs_the_printed_line(daemon, small_market, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("a cron daemon needs root to read a crontab that is not its own")
    crontab, data = tmp_path / "crontabs" / "root", tmp_path / "shop data 100%"
    for folder in ("crontabs", "empty"):
        (tmp_path / folder).mkdir()
    words = daemon(tmp_path)
    shutil.copytree(small_market / "dumps" / "2026-W46", data / "dumps" / "2026-W46")
    # Twenty seconds for the daemon to read its folder, which it does at the turn of a minute.
    soon = dt.datetime.now() + dt.timedelta(seconds=80)
    schedule = scheduled(data, None, day=DAYS[soon.weekday()], at=f"{soon:%H:%M}", zone=None, memory="75%")
    crontab.write_text("\n".join(cron_lines(schedule)) + "\n")
    crontab.chmod(0o600)
    with (tmp_path / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            words, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    ended = []
    try:
        until = time.monotonic() + 240
        while time.monotonic() < until and process.poll() is None and not ended:
            time.sleep(1)
            lines = (data / "shortlist.jsonl").read_text().splitlines() if (data / "shortlist.jsonl").exists() else []
            ended = [json.loads(line) for line in lines if '"exit_code"' in line]
    finally:
        process.terminate()
        process.wait()
    said = (data / "cron.log").read_text() if (data / "cron.log").exists() else (tmp_path / "daemon.log").read_text(errors="replace")
    assert [line["exit_code"] for line in ended] == [0], said
    assert (data / "shortlists" / "2026-W46" / "shortlist.parquet").is_file()
    print(f"{words[0] if daemon is busybox else words[-2]}: the line of {soon:%H:%M} ran and left with 0")
