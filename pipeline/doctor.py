"""Everything that a run needs, looked over without running: each finding says what it found and, where it is not well, what to do."""

from __future__ import annotations

import datetime as dt
import locale
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from pipeline import lock, store
from pipeline.calendar import sunday_of
from pipeline.config import load_plan, read_lock
from pipeline.errors import Locked, NothingToDo, NotWritten, PlanError, Refusal
from pipeline.inputs import complete_dumps, manifests_in_force
from pipeline.notify import load_settings
from pipeline.plan_check import check_plan
from pipeline.schedule import Schedule

OK, HINT, BAD = "ok", "hint", "bad"
# Spills, the kept history and the run's files; measured on the invented market they take less than the dump once.
_SPACE_FACTOR = 3
_STALE_DAYS = 10


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `exit_code` is that with which a run would leave for it, 0 where it would go on."""

    what: str
    state: str
    text: str
    exit_code: int = 0


def examine(data: Path, plan: Path | None) -> list[Finding]:
    """Look at everything once; what raises is itself a finding."""
    looks: Sequence[Callable[[], Iterator[Finding]]] = (
        _python, _packages, lambda: _plan(plan), lambda: _rights(data), lambda: _dump(data), lambda: _space(data), lambda: _lock(data),
        lambda: _last_run(data), _place, lambda: _schedule(data), lambda: _notifier(data),
    )  # fmt: skip
    findings: list[Finding] = []
    for look in looks:
        try:
            findings += look()
        except OSError as error:
            findings.append(Finding("disk", BAD, f"{error.filename}: {error.strerror}; make it readable", NotWritten.exit_code))
    return findings


def doctor_lines(findings: Sequence[Finding]) -> list[str]:
    """For a terminal, a line each."""
    return [f"{finding.state:<5} {finding.what:<10} {finding.text}" for finding in findings]


def _python() -> Iterator[Finding]:
    yield Finding("python", OK, f"{'.'.join(map(str, sys.version_info[:3]))} in {sys.prefix}")


def _packages() -> Iterator[Finding]:
    wanted = read_lock("run")
    other = []
    for name, number in wanted.items():
        try:
            here = version(name)
        except PackageNotFoundError:
            other.append(f"{name} is missing")
            continue
        if here != number:
            other.append(f"{name} is {here}, locked {number}")
    if other:
        yield Finding("packages", HINT, f"{', '.join(other)}; run `make setup`: other versions may give other bytes")
    else:
        yield Finding("packages", OK, f"{len(wanted)} packages as locked in requirements/run.txt")


def _plan(path: Path | None) -> Iterator[Finding]:
    try:
        plan = load_plan(path)
        check_plan(plan)
    except PlanError as error:
        yield Finding("plan", BAD, str(error.args[0]), error.exit_code)
        return
    yield Finding("plan", OK, f"{path or 'configs/shortlist.toml'}, {plan.digest()[:12]}, the best {plan.list.top} are listed")


def _rights(data: Path) -> Iterator[Finding]:
    there = next(folder for folder in (data.absolute(), *data.absolute().parents) if folder.exists())
    if not there.is_dir():
        yield Finding("rights", BAD, f"{there} is a file; name a folder with --data", NotWritten.exit_code)
    elif not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        user = pwd.getpwuid(os.getuid()).pw_name
        yield Finding("rights", BAD, f"{there} cannot be written by {user}; give the right, or run as its owner", NotWritten.exit_code)
    elif there != data.absolute():
        yield Finding("rights", HINT, f"{data} is not there yet; run `shortlist init --data {data}`")
    else:
        yield Finding("rights", OK, f"{data} can be written")


def _dump(data: Path) -> Iterator[Finding]:
    found = complete_dumps(data / "dumps")
    if not found:
        yield Finding(
            "dump", BAD, f"no complete dump in {data / 'dumps'}; put one there in a folder named by its week", NothingToDo.exit_code
        )
        return
    week = max(found)
    days = (dt.datetime.now(dt.UTC).date() - sunday_of(week)).days
    size = _size(found[week])
    told = f"{len(found)} dumps, the newest of {week}, {size / 1e6:,.1f} MB"
    if days > _STALE_DAYS:
        yield Finding("dump", HINT, f"{told}, its week ended {days} days ago; upload a newer one")
    else:
        yield Finding("dump", OK, told)
    open_ones = sorted(path.name for path in (data / "dumps").iterdir() if path.is_dir() and path not in found.values())
    if open_ones:
        yield Finding("dump", HINT, f"passed over: {', '.join(open_ones[-3:])}: empty, unfinished, or not named by a week")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _space(data: Path) -> Iterator[Finding]:
    there = next(folder for folder in (data.absolute(), *data.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    found = complete_dumps(data / "dumps")
    needed = _SPACE_FACTOR * _size(found[max(found)]) if found else 0
    told = f"{free / 1e9:,.1f} GB free"
    if free < needed:
        yield Finding(
            "space", BAD, f"{told}, the newest dump may need {needed / 1e9:,.1f} GB; make room, or run with --keep 8", NotWritten.exit_code
        )
    else:
        yield Finding("space", OK, told)


def _lock(data: Path) -> Iterator[Finding]:
    who = lock.holder(data)
    if who is None:
        yield Finding("lock", OK, "free")
    else:
        yield Finding("lock", HINT, f"a run is at work ({who}); wait until it ends", Locked.exit_code)


def _last_run(data: Path) -> Iterator[Finding]:
    held = store.DataFolder(data)
    manifests = {week: manifest for week, manifest in manifests_in_force(held).items() if not manifest["sample"]}
    if not manifests:
        yield Finding("last run", HINT, "none yet; run `shortlist run`")
        return
    week, manifest = max(manifests.items())
    folder = held.current(week)
    made = dt.datetime.fromtimestamp((folder / "run.json").stat().st_mtime, dt.UTC) if folder is not None else None
    told = f"{week} with {manifest['verdicts']['shortlisted']:,} products" + (f", made {made:%Y-%m-%d %H:%M} UTC" if made else "")
    dumps = complete_dumps(held.dumps)
    if dumps and max(dumps) > week:
        yield Finding("last run", HINT, f"{told}; a newer dump waits: run `shortlist run`")
    elif manifest.get("doubts"):
        yield Finding("last run", HINT, f"{told}; {len(manifest['doubts'])} figures unlike the weeks before: read its warnings in run.json")
    else:
        yield Finding("last run", OK, told)


def _place() -> Iterator[Finding]:
    encoding = locale.getpreferredencoding(False)
    state = OK if encoding.lower().replace("-", "") == "utf8" or sys.flags.utf8_mode else HINT
    cure = "" if state == OK else "; set PYTHONUTF8=1, so that titles in other scripts can be shown"
    yield Finding("locale", state, f"texts are shown as {encoding}{cure}")
    yield Finding("time zone", OK, f"{zone_here()}; a run never asks the clock, only a schedule does")


def _schedule(data: Path) -> Iterator[Finding]:
    told = [f"crontab of {pwd.getpwuid(os.getuid()).pw_name}"] if _is_in_crontab(data) else []
    states = [_systemctl(word, "shortlist.timer") for word in ("is-enabled", "is-active")]
    if states == ["enabled", "active"]:
        told.append("systemd's shortlist.timer")
    if told:
        yield Finding("schedule", OK, " and ".join(told))
    elif "enabled" in states or "disabled" in states:
        yield Finding("schedule", HINT, "shortlist.timer is there but not at work; run `systemctl enable --now shortlist.timer`")
    else:
        yield Finding("schedule", HINT, "none; see `shortlist schedule print --systemd` or `--cron`")


def _is_in_crontab(data: Path) -> bool:
    return any("shortlist" in line and str(data) in line and not line.startswith("#") for line in _output(["crontab", "-l"]).splitlines())


def _systemctl(word: str, unit: str) -> str:
    return _output(["systemctl", word, unit]).strip()


def _output(words: list[str]) -> str:
    """What a command of the system says on stdout, nothing where there is none or it does not answer."""
    program = shutil.which(words[0])
    if program is None:
        return ""
    try:
        done = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=5, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return done.stdout


def _notifier(data: Path) -> Iterator[Finding]:
    try:
        settings = load_settings(data, os.environ)
    except Refusal as error:
        yield Finding("notifier", BAD, f"{error.args[0]}; until then nobody is told")
        return
    if settings.urls and find_spec("apprise") is None:
        yield Finding("notifier", BAD, "apprise is not installed; run `.venv/bin/python -m pip install 'apprise>=1.9,<2'`")
    elif settings.urls or settings.ping:
        ping = "a dead-man's switch" if settings.ping else "no dead-man's switch"
        yield Finding("notifier", OK, f"{len(settings.urls)} addresses on {', '.join(sorted(settings.on))}; {ping}")
    else:
        yield Finding("notifier", HINT, "nobody is told when a run fails; see docs/unattended.md")


def zone_here() -> str:
    """The machine's time zone by name, `UTC` where it has none."""
    named = os.environ.get("TZ", "").lstrip(":")
    if named and "/" in named and not named.startswith("/"):
        return named
    target = str(Path("/etc/localtime").resolve())
    return target.rsplit("/zoneinfo/", maxsplit=1)[-1] if "/zoneinfo/" in target else "UTC"


def scheduled(data: Path, plan: Path | None, *, day: str, at: str, zone: str | None, memory: str) -> Schedule:
    """A schedule for this machine: this very installation by absolute path, this user, this zone."""
    beside = Path(sys.executable).with_name("shortlist")
    program = (str(beside),) if beside.is_file() else (sys.executable, "-m", "pipeline")
    user = pwd.getpwuid(os.getuid()).pw_name
    return Schedule(
        program=program,
        data=data.absolute(),
        plan=plan.absolute() if plan is not None else None,
        day=day,
        at=at,
        zone=zone if zone is not None else zone_here(),
        memory=memory,
        user=None if user == "root" else user,
    )
