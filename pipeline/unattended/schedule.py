"""Text for a scheduler: a crontab line, or a service and a timer for systemd; nothing is installed."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import EXIT_DONE, Locked, UsageError
from pipeline.messages import ENGLISH, Words

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")
_MEMORY = re.compile(r"[1-9][0-9]*(?:[KMGT]|%)")


@dataclass(frozen=True)
class Schedule:
    """The time and the command of a scheduled run; `program` has an absolute path, `user` None means the user who installs it."""

    program: tuple[str, ...]
    data: Path
    plan: Path | None
    day: str
    at: str
    zone: str
    memory: str
    user: str | None

    def __post_init__(self) -> None:
        for what, value, wanted, example in (
            ("time", self.at, _CLOCK, "06:30"),
            ("time zone", self.zone, _ZONE, "Asia/Shanghai"),
            ("memory limit", self.memory, _MEMORY, "4G or 75%"),
        ):
            if not wanted.fullmatch(value):
                raise UsageError(f"{value!r} is no {what}; write it as {example}")
        # Unit files and crontabs are read line by line: a line break in a path would start another command.
        for path in (*self.program, str(self.data), str(self.plan or "")):
            if not path.isprintable():
                raise UsageError(f"{path!r} holds a control character; a schedule needs a plain path")

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the run's command; the week comes from the newest dump, never from the clock."""
        plan = ("--plan", str(self.plan)) if self.plan is not None else ()
        return (*self.program, "run", "--quiet", "--data", str(self.data), *plan, "--log", str(self.data / "shortlist.jsonl"))


def cron_lines(schedule: Schedule, say: Words = ENGLISH) -> list[str]:
    """The lines for a crontab."""
    hour, minute = schedule.at.split(":")
    log = schedule.data / "cron.log"
    # UTF-8 mode is set in both ways, because some crons have no variables. The run's exit code is kept, except "locked": no failure.
    command = (
        f"PYTHONUTF8=1 {' '.join(map(cron_word, schedule.words))} >>{cron_word(str(log))} 2>&1 </dev/null; "
        f"code=$?; [ $code -eq {Locked.exit_code} ] && exit {EXIT_DONE}; exit $code"
    )
    return [
        say("# shortlist, for `crontab -e`. The log: {log}", log=log),
        say("# Exit codes: 0 done, {code} another run holds the lock (no failure), others: docs/troubleshooting.md", code=Locked.exit_code),
        say("# cronie reads CRON_TZ; another cron takes the hour as the machine's own."),
        "SHELL=/bin/sh",
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "PYTHONUTF8=1",
        f"CRON_TZ={schedule.zone}",
        f"{int(minute)} {int(hour)} * * {DAYS.index(schedule.day)} {command}",
    ]


def cron_word(word: str) -> str:
    """A shell word without `%`, which Debian's cron and cronie read as a line end and busybox's cron cannot escape."""
    return "\"$(printf '\\045')\"".join(shlex.quote(part) if part else "" for part in word.split("%")) or "''"


def systemd_lines(schedule: Schedule) -> list[str]:
    """A service and a timer, each after a line that names its file, as `systemctl cat` shows them."""
    return [
        "# /etc/systemd/system/shortlist.service",
        "[Unit]",
        "Description=Weekly shortlist of products",
        "Documentation=man:systemd.exec(5)",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        *([f"User={schedule.user}"] if schedule.user else []),
        "ExecStart=" + " ".join(_quoted(word, dollar=True) for word in schedule.words),
        f"SuccessExitStatus={Locked.exit_code}",
        "WorkingDirectory=/",
        "Environment=PYTHONUTF8=1",
        "UMask=0077",
        "TimeoutStartSec=6h",
        "TimeoutStopSec=30s",
        f"MemoryMax={schedule.memory}",
        "OOMPolicy=stop",
        "Nice=10",
        "IOSchedulingClass=idle",
        "NoNewPrivileges=true",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        # Without the hyphen, systemd would fail on a missing folder before the run can report it.
        f"ReadWritePaths={_quoted('-' + str(schedule.data))}",
        "PrivateTmp=true",
        "PrivateDevices=true",
        "ProtectClock=true",
        "ProtectControlGroups=true",
        "ProtectHostname=true",
        "ProtectKernelLogs=true",
        "ProtectKernelModules=true",
        "ProtectKernelTunables=true",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
        "RestrictNamespaces=true",
        "RestrictRealtime=true",
        "RestrictSUIDSGID=true",
        "LockPersonality=true",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "",
        "# /etc/systemd/system/shortlist.timer",
        "[Unit]",
        "Description=Weekly shortlist of products",
        "",
        "[Timer]",
        f"OnCalendar={schedule.day.capitalize()} *-*-* {schedule.at}:00 {schedule.zone}",
        "# A run that was missed, because the machine was off, is made up for at the next start.",
        "Persistent=true",
        "RandomizedDelaySec=5min",
        "Unit=shortlist.service",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]


def _quoted(word: str, *, dollar: bool = False) -> str:
    """A word of a unit file: `%` and, in a command, `$` are doubled; quoted where it holds other than plain characters."""
    reported = word.replace("%", "%%")
    if dollar:
        reported = reported.replace("$", "$$")
    if re.fullmatch(r"[\w@%+=:,./-]+", reported):
        return reported
    return '"' + reported.replace("\\", "\\\\").replace('"', '\\"') + '"'
