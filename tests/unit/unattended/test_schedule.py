"""What schedulers are told: absolute paths, safe quoting, and units that systemd itself finds in order."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.unattended.schedule import Schedule, cron_lines, systemd_lines

HERE = Schedule(
    program=(sys.executable, "-m", "pipeline"), data=Path("/srv/shop data/50%"), plan=Path("/srv/my plan.toml"), day="mon", at="06:05",
    zone="Asia/Shanghai", memory="75%", user=None,
)  # fmt: skip


def units(lines):
    """File name -> text, as `systemctl cat` parts them."""
    found, name = {}, ""
    for line in lines:
        if line.startswith("# /etc/systemd/system/"):
            name = line.rsplit("/", 1)[1]
        found[name] = found.get(name, "") + line + "\n"
    return found


def test_the_cron_line_has_its_hour_its_zone_its_log_and_its_code_for_a_held_lock():
    *head, line = cron_lines(HERE)
    minute, hour, *days, rest = line.split(" ", 5)
    assert (minute, hour, days) == ("5", "6", ["*", "*", "1"])
    assert "CRON_TZ=Asia/Shanghai" in head and "PYTHONUTF8=1" in head and rest.startswith("PYTHONUTF8=1 ")
    assert "-eq 75 ] && exit 0" in rest and "</dev/null" in rest
    # Debian's cron takes a % for a line end, and busybox hands the shell its escape as it stands: there is none, the shell makes it.
    assert "%" not in rest
    told = subprocess.run(["/bin/sh", "-c", f"printf '%s\\n' {rest.split(' >>')[0]}"], capture_output=True, text=True, check=True)
    words = told.stdout.splitlines()
    assert words[1:4] == list(HERE.program) and "/srv/shop data/50%" in words and "/srv/my plan.toml" in words


@pytest.mark.parametrize(("end", "code"), [(0, 0), (75, 0), (11, 11), (1, 1)])
def test_the_shell_of_the_cron_line_keeps_the_code_but_for_a_held_lock(tmp_path, end, code):
    program = tmp_path / "it's a program"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit {end}\n")
    program.chmod(0o755)
    data = tmp_path / "100% data"
    data.mkdir()
    line = cron_lines(dataclasses.replace(HERE, program=(str(program),), data=data))[-1]
    command = line.split(" ", 5)[5]
    assert subprocess.run(["/bin/sh", "-c", command], env={}, cwd="/", check=False).returncode == code
    assert str(data) in (data / "cron.log").read_text().splitlines()


def test_the_service_is_hardened_and_the_timer_makes_up_for_a_missed_week():
    parts = units(systemd_lines(dataclasses.replace(HERE, user="ann")))
    service, timer = parts["shortlist.service"], parts["shortlist.timer"]
    assert 'ReadWritePaths="-/srv/shop data/50%%"' in service and '--plan "/srv/my plan.toml"' in service
    for line in ("Type=oneshot", "User=ann", "ProtectSystem=strict", "NoNewPrivileges=true", "MemoryMax=75%", "SuccessExitStatus=75"):
        assert line in service.splitlines()
    assert "TimeoutStartSec=6h" in service
    assert "Persistent=true" in timer and "OnCalendar=Mon *-*-* 06:05:00 Asia/Shanghai" in timer


def test_systemd_finds_nothing_to_say_against_the_units(tmp_path):
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("systemd-analyze is not on this machine")
    for name, text in units(systemd_lines(HERE)).items():
        (tmp_path / name).write_text(text)
    names = [str(tmp_path / name) for name in ("shortlist.service", "shortlist.timer")]
    done = subprocess.run([verifier, "verify", "--man=no", *names], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "shortlist" in line]
    assert (done.returncode, complaints) == (0, []), done.stderr


@pytest.mark.parametrize(
    ("key", "value"), [("at", "6:30"), ("at", "24:00"), ("zone", "Asia/Shanghai\nUser=root"), ("zone", "../x"), ("memory", "much")]
)
def test_what_is_no_hour_no_zone_and_no_limit_is_refused(key, value):
    with pytest.raises(UsageError, match="write it as"):
        dataclasses.replace(HERE, **{key: value})


def test_a_path_with_a_line_break_is_refused():
    with pytest.raises(UsageError, match="control character"):
        dataclasses.replace(HERE, data=Path("/srv/a\n* * * * * rm"))


def test_the_machines_zone_is_a_name(monkeypatch):
    from pipeline.unattended.machine import zone_here

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert zone_here() == "Asia/Tokyo"
    monkeypatch.setenv("TZ", "/etc/passwd")
    assert zone_here() and os.sep not in zone_here()[:1]
