"""Check everything that a run needs, without running. Each finding has a state and, where something is wrong, says what to do."""

from __future__ import annotations

import datetime as dt
import locale
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from pipeline.config.files import load_plan, read_lock
from pipeline.errors import DumpError, Locked, NothingToDo, NotWritten, PlanError, Refusal
from pipeline.ingest.containers.dump_files import list_dump
from pipeline.messages import ENGLISH, Words
from pipeline.publish.text.formatting import padded
from pipeline.runs.inputs import complete_dumps, manifests_in_force
from pipeline.runs.plan_check import check_plan
from pipeline.store import lock
from pipeline.store.data_folder import DataFolder, read_manifest
from pipeline.store.verification import damaged_outputs
from pipeline.tables.calendar import sunday_of
from pipeline.unattended.machine import user_here, zone_here
from pipeline.unattended.notify import load_settings
from pipeline.unattended.schedule import cron_word

OK, HINT, BAD = "ok", "hint", "bad"
# Times the size of the dump, for spills, kept history and the run's files; on the invented market they took less than once.
_SPACE_FACTOR = 3
_STALE_DAYS = 10


@dataclass(frozen=True)
class Finding:
    """The result of one check; `exit_code` is the one that a run would end with because of it, 0 where the run would continue."""

    what: str
    state: str
    text: str
    exit_code: int = 0


def examine(data: Path, plan: Path | None, say: Words = ENGLISH) -> list[Finding]:
    """Run every check once; a check that raises becomes a finding."""
    looks: Sequence[Callable[[], Iterator[Finding]]] = (
        lambda: _python(say), lambda: _packages(say), lambda: _plan(plan, say), lambda: _rights(data, say),
        lambda: _dump(data, say), lambda: _space(data, say), lambda: _lock(data, say), lambda: _last_run(data, say),
        lambda: _kept_runs(data, say), lambda: _place(say), lambda: _schedule(data, say), lambda: _notifier(data, say),
    )  # fmt: skip
    findings: list[Finding] = []
    for look in looks:
        try:
            findings += look()
        except Refusal as refusal:
            findings.append(Finding("disk", BAD, say.found(str(refusal.args[0])), refusal.exit_code))
        except OSError as error:
            reported = say("{file}: {problem}; make it readable", file=error.filename, problem=error.strerror)
            findings.append(Finding("disk", BAD, reported, NotWritten.exit_code))
    return findings


def doctor_lines(findings: Sequence[Finding], say: Words = ENGLISH) -> list[str]:
    """The findings as lines for a terminal, one each."""
    return [f"{padded(say(one.state), 5)} {padded(say(one.what), 11)} {one.text}" for one in findings]


def _python(say: Words) -> Iterator[Finding]:
    number = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", OK, say("{version} in {folder}", version=number, folder=sys.prefix))


def _packages(say: Words) -> Iterator[Finding]:
    wanted = read_lock("run")
    if not wanted:
        yield Finding("packages", OK, say("installed without a lock file: `pip check` shows whether they are compatible"))
        return
    other = []
    for name, number in wanted.items():
        try:
            here = version(name)
        except PackageNotFoundError:
            other.append(say("{package} is missing", package=name))
            continue
        if here != number:
            other.append(say("{package} is {version}, locked {locked}", package=name, version=here, locked=number))
    if other:
        message = "{packages}; run `make setup`: other versions may give other bytes"
        yield Finding("packages", HINT, say(message, packages=say.listed(other)))
    else:
        yield Finding("packages", OK, say("{n} packages as locked in requirements/run.txt", n=len(wanted)))


def _plan(path: Path | None, say: Words) -> Iterator[Finding]:
    try:
        plan = load_plan(path)
        check_plan(plan)
    except PlanError as error:
        yield Finding("plan", BAD, say.found(str(error.args[0])), error.exit_code)
        return
    message = "{file}, {digest}, the best {top} are listed"
    yield Finding("plan", OK, say(message, file=path or "configs/shortlist.toml", digest=plan.digest()[:12], top=plan.list.top))


def _rights(data: Path, say: Words) -> Iterator[Finding]:
    there = _nearest_existing(data)
    if not there.is_dir():
        yield Finding("rights", BAD, say("{folder} is a file; name a folder with --data", folder=there), NotWritten.exit_code)
    elif not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        message = "{folder} cannot be written by {user}; give the right, or run as its owner"
        yield Finding("rights", BAD, say(message, folder=there, user=user_here()), NotWritten.exit_code)
    elif there != data.absolute():
        yield Finding("rights", HINT, say("{folder} is not there yet; run `shortlist init --data {folder}`", folder=data))
    else:
        yield Finding("rights", OK, say("{folder} can be written", folder=data))


def _nearest_existing(data: Path) -> Path:
    """The folder itself, or its nearest existing parent."""
    return next(folder for folder in (data.absolute(), *data.absolute().parents) if folder.exists())


def _dump(data: Path, say: Words) -> Iterator[Finding]:
    found = complete_dumps(data / "dumps")
    if not found:
        message = "no complete dump in {folder}; put one there in a folder named by its week"
        yield Finding("dump", BAD, say(message, folder=data / "dumps"), NothingToDo.exit_code)
        return
    week = max(found)
    days = (dt.datetime.now(dt.UTC).date() - sunday_of(week)).days
    size = _size(found[week])
    message = "{n} dumps, the newest of {week}, {megabytes:,.1f} MB"
    newest = say(message, n=len(found), week=week, megabytes=size / 1e6)
    if days > _STALE_DAYS:
        yield Finding("dump", HINT, say("{newest}, its week ended {days} days ago; upload a newer one", newest=newest, days=days))
    else:
        yield Finding("dump", OK, newest)
    yield from _files(found[week], say)
    open_ones = sorted(path.name for path in (data / "dumps").iterdir() if path.is_dir() and path not in found.values())
    if open_ones:
        message = "skipped: {folders}: empty, unfinished, or not named by a week"
        yield Finding("dump", HINT, say(message, folders=say.listed(open_ones[-3:])))


def _files(dump: Path, say: Words) -> Iterator[Finding]:
    """Errors that would refuse the dump before a line of it is read."""
    try:
        for file in list_dump(dump):
            if not os.access(file.path, os.R_OK):
                message = "{file} cannot be read by {user}; give the right, or run as its owner"
                yield Finding("dump", BAD, say(message, file=file.path, user=user_here()), DumpError.exit_code)
    except DumpError as error:
        yield Finding("dump", BAD, say.found(str(error.args[0])), error.exit_code)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _space(data: Path, say: Words) -> Iterator[Finding]:
    free = shutil.disk_usage(_nearest_existing(data)).free
    found = complete_dumps(data / "dumps")
    needed = _SPACE_FACTOR * _size(found[max(found)]) if found else 0
    if free < needed:
        message = "{free:,.1f} GB free, the newest dump may need {needed:,.1f} GB; make room, or run with --keep 8"
        yield Finding("space", BAD, say(message, free=free / 1e9, needed=needed / 1e9), NotWritten.exit_code)
    else:
        yield Finding("space", OK, say("{free:,.1f} GB free", free=free / 1e9))


def _lock(data: Path, say: Words) -> Iterator[Finding]:
    who = lock.holder(data)
    if who is None:
        yield Finding("lock", OK, say("free"))
    else:
        yield Finding("lock", HINT, say("a run is at work ({who}); wait until it ends", who=say.found(who)), Locked.exit_code)


def _last_run(data: Path, say: Words) -> Iterator[Finding]:
    held = DataFolder(data)
    manifests = {week: manifest for week, manifest in manifests_in_force(held).items() if not manifest["sample"]}
    if not manifests:
        yield Finding("last run", HINT, say("none yet; run `shortlist run`"))
        return
    week, manifest = max(manifests.items())
    folder = held.current(week)
    made = dt.datetime.fromtimestamp((folder / "run.json").stat().st_mtime, dt.UTC) if folder is not None else None
    message = "{week} with {n:,} products, made {made} UTC"
    last = say(message, week=week, n=manifest["verdicts"]["shortlisted"], made=f"{made:%Y-%m-%d %H:%M}" if made else "?")
    dumps = complete_dumps(held.dumps)
    doubts = len(manifest.get("doubts") or ())
    if dumps and max(dumps) > week:
        yield Finding("last run", HINT, say("{last}; a newer dump waits: run `shortlist run`", last=last))
    elif doubts:
        message = "{last}; {n} figures unlike the weeks before: read its warnings in run.json"
        yield Finding("last run", HINT, say(message, last=last, n=doubts))
    else:
        yield Finding("last run", OK, last)


def _kept_runs(data: Path, say: Words) -> Iterator[Finding]:
    """Compare every kept run with its recorded sizes and digests; each file is hashed again."""
    held = DataFolder(data)
    runs, damaged = held.runs(), []
    for _, run in runs:
        names = damaged_outputs(run, read_manifest(run))
        damaged += [f"{run / name}" for name in names]
    if damaged:
        message = "{files}: missing or damaged; run the week again"
        yield Finding("kept runs", BAD, say(message, files=say.listed(damaged)), NotWritten.exit_code)
    else:
        yield Finding("kept runs", OK, say("{n} verified", n=len(runs)))


def _place(say: Words) -> Iterator[Finding]:
    encoding = locale.getpreferredencoding(False)
    if encoding.lower().replace("-", "") == "utf8" or sys.flags.utf8_mode:
        yield Finding("locale", OK, say("texts are shown as {encoding}", encoding=encoding))
    else:
        message = "texts are shown as {encoding}; set PYTHONUTF8=1, so that titles in other scripts can be shown"
        yield Finding("locale", HINT, say(message, encoding=encoding))
    yield Finding("time zone", OK, say("{zone}; a run never asks the clock, only a schedule does", zone=zone_here()))


def _schedule(data: Path, say: Words) -> Iterator[Finding]:
    found = [say("crontab of {user}", user=user_here())] if _is_in_crontab(data) else []
    states = [_systemctl(word, "shortlist.timer") for word in ("is-enabled", "is-active")]
    if states == ["enabled", "active"]:
        found.append(say("systemd's shortlist.timer"))
    if found:
        yield Finding("schedule", OK, say.listed(found))
    elif "enabled" in states or "disabled" in states:
        message = "shortlist.timer is there but not at work; run `systemctl enable --now shortlist.timer`"
        yield Finding("schedule", HINT, say(message))
    else:
        yield Finding("schedule", HINT, say("none; see `shortlist schedule print --systemd` or `--cron`"))


def _is_in_crontab(data: Path) -> bool:
    lines = [line for line in _output(["crontab", "-l"]).splitlines() if "shortlist" in line and not line.startswith("#")]
    return any(place in line for line in lines for place in (str(data.absolute()), cron_word(str(data.absolute()))))


def _systemctl(word: str, unit: str) -> str:
    return _output(["systemctl", word, unit]).strip()


def _output(words: list[str]) -> str:
    """The standard output of a system command; empty where the command is missing or does not end in time."""
    program = shutil.which(words[0])
    if program is None:
        return ""
    try:
        done = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=5, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return done.stdout


def _notifier(data: Path, say: Words) -> Iterator[Finding]:
    try:
        settings = load_settings(data, os.environ)
    except Refusal as error:
        yield Finding("notifier", BAD, say("{problem}; until then nothing is sent", problem=say.found(str(error.args[0]))))
        return
    if settings.urls and find_spec("apprise") is None:
        message = "apprise is not installed; run `{python} -m pip install 'apprise>=1.9,<2'`"
        yield Finding("notifier", BAD, say(message, python=sys.executable))
    elif settings.urls or settings.ping:
        ping = say("a dead-man's switch") if settings.ping else say("no dead-man's switch")
        message = "{n} addresses on {occasions}; {ping}"
        yield Finding("notifier", OK, say(message, n=len(settings.urls), occasions=", ".join(sorted(settings.on)), ping=ping))
    else:
        yield Finding("notifier", HINT, say("no notifications are set up; see docs/unattended.md"))
