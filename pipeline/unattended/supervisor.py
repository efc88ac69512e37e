"""Supervision of a run: take the lock before heavy libraries are loaded, write the log, and send a notification at the end."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import EXIT_BUG, Locked, NotWritten, PlanError, Refusal, Stopped
from pipeline.runs.log import Log
from pipeline.store import lock
from pipeline.unattended.notify import Message, Notifier, Settings, load_settings

if TYPE_CHECKING:
    from pipeline.unattended.history import Outcome

_MORE_FILES = "raise the limit of open files (`ulimit -n`), then run again"
_CURES = {
    errno.EMFILE: _MORE_FILES,
    errno.ENFILE: _MORE_FILES,
    errno.ENOMEM: "run again with --workers 1 or on a machine with more memory",
    errno.ESTALE: "mount the network folder again, then run again",
    errno.ETIMEDOUT: "see that the network folder answers, then run again",
}

# Arrow and Python have no exception class for this error.
_NO_THREADS = re.compile("Failed to launch worker thread|can't start new thread")


@dataclass(frozen=True)
class RunRequest:
    """Options of the `run` command that are not options of the week: rebuild later weeks, runs to keep, log file."""

    rebuild: bool = False
    keep: int | None = None
    log: str | None = None


@dataclass(frozen=True)
class Outputs:
    """Receivers of output: `say` for progress, `warn` for problems outside the run itself, `answer` for the outcome."""

    say: Callable[[str], None]
    warn: Callable[[str], None]
    answer: Callable[[Outcome], None]


def supervised_run(asked: Mapping[str, Any], request: RunRequest, outputs: Outputs) -> None:
    """Run a week under the lock, pass on the outcome, and send notifications; `asked` are the arguments of `week_run.Options`.

    Raises
    ------
    Refusal
        Raised by the run; a failed notification raises nothing.
    """
    log = Log(request.log)
    is_real = not asked["dry_run"]
    notifier = Notifier(
        _settings(asked["data"], outputs.warn, log) if is_real else Settings(), lambda line: _beside(line, outputs.warn, log)
    )
    with contextlib.ExitStack() as held:
        try:
            # A missing folder cannot be locked by another run, and it is not made before a dump is found.
            is_locked = is_real and asked["data"].is_dir()
            if is_locked:
                held.enter_context(lock.hold(asked["data"]))
            notifier.start()
            outcome = _run(asked, request, outputs.say, log, held if is_real and not is_locked else None)
            held.close()
            if log.problem:
                outputs.warn(f"the log cannot be written: {log.problem}")
            outputs.answer(outcome)
        except BrokenPipeError:  # the list is written, but the reader of the answer has closed the pipe
            _notify_done(notifier, outcome, asked["data"])
            raise
        except BaseException as error:
            code, reported = end_of(error)
            log.trouble("failed", exit_code=code, kind=type(error).__name__, **(_bug_report(error) if code == EXIT_BUG else {}))
            held.close()
            if not isinstance(error, Locked):  # the run that holds the lock sends its own notification
                title, body = f"shortlist: failed with exit code {code}", f"{reported}\nThe last list is unchanged."
                notifier.finish(is_success=False, message=Message(title, body, frozenset({"failure"})))
            raise
    log.event("done", exit_code=0)
    _notify_done(notifier, outcome, asked["data"])


def _run(
    asked: Mapping[str, Any], request: RunRequest, say: Callable[[str], None], log: Log, unlocked: contextlib.ExitStack | None
) -> Outcome:
    from pipeline.runs.inputs import find_dump
    from pipeline.runs.week_run import Options
    from pipeline.store.data_folder import DataFolder
    from pipeline.unattended.history import run_weeks

    options = Options(**asked)
    if unlocked is not None:
        find_dump(DataFolder(options.data), options.dump, options.week, options.sample_if_empty)
        unlocked.enter_context(lock.hold(options.data))
    return run_weeks(options, rebuild=request.rebuild, keep=request.keep, say=say, log=log)


def _settings(data: Path, warn: Callable[[str], None], log: Log) -> Settings:
    """Notification settings; a mistake in them is reported and does not stop the run."""
    try:
        return load_settings(data, os.environ)
    except PlanError as error:
        _beside(f"no notifications: {error.args[0]}", warn, log)
        return Settings()


def _beside(line: str, warn: Callable[[str], None], log: Log) -> None:
    warn(line)
    log.trouble("notify", problem=line)


def _notify_done(notifier: Notifier, outcome: Outcome, data: Path) -> None:
    from pipeline.publish.text.digest import body_of, occasions_of, title_of
    from pipeline.store.data_folder import DataFolder

    manifest, folder = outcome.result.manifest, outcome.result.folder
    if folder is None:
        return
    week = manifest.get("previous_week")
    last = DataFolder(data).current(week) if week else None
    is_new = outcome.result.is_new
    body = body_of(manifest, folder, last, is_new) if notifier.has_addresses else ""
    body = "\n".join([*(f"warning: {line}" for line in outcome.result.lines), body])
    notifier.finish(is_success=True, message=Message(title_of(manifest), body, occasions_of(manifest, is_new)))


def _bug_report(error: BaseException) -> dict[str, Any]:
    """The traceback and the versions, for a bug report. A traceback holds code and messages, but no row of a dump."""
    from pipeline.runs.inputs import versions

    return {"traceback": "".join(traceback.format_exception(error)), "versions": dict(versions())}


def end_of(error: BaseException) -> tuple[int, str]:
    """The exit code for an exception that ends the process, and one line that describes it."""
    if isinstance(error, Refusal):
        return error.exit_code, str(error)
    if isinstance(error, Stopped):
        return 128 + error.number, f"stopped by signal {error.number}"
    if isinstance(error, MemoryError) or _NO_THREADS.search(str(error)):
        cure = "run again with --workers 1 or on a machine with more memory"
        line = f"memory or threads ran out ({type(error).__name__}); {cure} (the last list is unchanged)"
        return NotWritten.exit_code, str(NotWritten(line))
    # An operating system error is a problem of the machine, wherever it is raised. Arrow's own have no errno, only a text.
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        cure = _CURES.get(error.errno or 0, "make room or repair the disk, then run again")
        return NotWritten.exit_code, str(NotWritten(f"{place}{error.strerror or error}; {cure} (the last list is unchanged)"))
    return EXIT_BUG, f"a bug: {type(error).__name__}; the log holds the traceback, please report it with the versions in the log"
