"""Notifications: a ping for a dead-man's switch and messages through apprise. The only module that uses a network.

A separate process sends them and is killed at a deadline, so that no server can change the exit code or delay the run for long.
Addresses are secrets: they go to that process through a pipe, and no log or error message contains them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pipeline.config.locations import IMPORT_ROOT
from pipeline.errors import PlanError

OCCASIONS = ("failure", "empty", "drift", "always")
FILE_NAME = "notify.toml"
_DEFAULT_ON = frozenset({"failure", "empty", "drift"})
# Notifications may delay a run by ten seconds in total; the difference is for starting and killing processes on a busy machine.
DEADLINE_SECONDS = 8.0
_START_SECONDS = 3.0


@dataclass(frozen=True)
class Settings:
    """Recipients and occasions of notifications."""

    ping: str | None = None
    urls: tuple[str, ...] = ()
    on: frozenset[str] = _DEFAULT_ON

    def __repr__(self) -> str:
        # Addresses contain keys, so a traceback must not show them.
        return f"Settings(ping={'set' if self.ping else None}, urls={len(self.urls)}, on={sorted(self.on)})"


def load_settings(data: Path, environ: Mapping[str, str]) -> Settings:
    """The settings from `SHORTLIST_PING`, `SHORTLIST_NOTIFY` (separated by blanks) and `SHORTLIST_NOTIFY_ON`, else from a file.

    The file is `notify.toml` of the data folder, or the one named by `SHORTLIST_NOTIFY_FILE`; its keys are `ping`, `urls` and `on`.

    Raises
    ------
    PlanError
        The file can be read by other users, belongs to another user, is a link, or holds an unknown key or value.
    """
    named = environ.get("SHORTLIST_NOTIFY_FILE")
    path = Path(named) if named else data / FILE_NAME
    reported: dict[str, Any] = {}
    if named or path.is_symlink() or path.exists():
        from pipeline.config.files import read_private_toml

        reported = read_private_toml(path)
    for key in sorted(set(reported) - {"ping", "urls", "on"}):
        raise PlanError(f"{path.name}: unknown key {key!r}; known: ping, urls, on")
    ping = environ.get("SHORTLIST_PING") or reported.get("ping")
    urls = environ["SHORTLIST_NOTIFY"].split() if environ.get("SHORTLIST_NOTIFY") else reported.get("urls", [])
    on = (
        environ["SHORTLIST_NOTIFY_ON"].replace(",", " ").split()
        if environ.get("SHORTLIST_NOTIFY_ON")
        else reported.get("on", [*_DEFAULT_ON])
    )
    if ping is not None and not (isinstance(ping, str) and urlsplit(ping).scheme in {"http", "https"} and urlsplit(ping).hostname):
        raise PlanError("notifications: the ping is no http or https address")
    for name, words in (("urls", urls), ("on", on)):
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise PlanError(f"notifications: {name!r} is no list of texts")
    for word in on:
        if word not in OCCASIONS:
            raise PlanError(f"notifications: unknown occasion {word!r}; known: {', '.join(OCCASIONS)}")
    return Settings(ping, tuple(urls), frozenset(on))


@dataclass(frozen=True)
class Message:
    """The text of a notification; `occasions` are those of `OCCASIONS` that apply."""

    title: str
    body: str
    occasions: frozenset[str]


class Notifier:
    """Notifications of one run: `start`, then `finish` once. Neither raises; a failed notification is passed to `report`."""

    def __init__(self, settings: Settings, report: Callable[[str], None] = lambda line: None) -> None:
        self._settings, self._report = settings, report
        self._starting: subprocess.Popen[bytes] | None = None

    @property
    def has_addresses(self) -> bool:
        """Whether there is an address for messages."""
        return bool(self._settings.urls)

    def start(self) -> None:
        """Ping that the run has started; does not wait for the answer."""
        if self._settings.ping:
            self._starting = self._send({"ping": ping_address(self._settings.ping, "start")})

    def finish(self, *, is_success: bool, message: Message) -> None:
        """Ping how the run ended, and send the message if one of its occasions is selected; takes at most `DEADLINE_SECONDS`."""
        until = time.monotonic() + DEADLINE_SECONDS
        if self._starting is not None:
            # A start ping that arrives after the end ping would look like a run that never ends.
            self._wait(self._starting, min(time.monotonic() + _START_SECONDS, until))
        order: dict[str, Any] = {}
        if self._settings.ping:
            order["ping"] = ping_address(self._settings.ping, "" if is_success else "fail")
        if self._settings.urls and (message.occasions | {"always"}) & self._settings.on:
            order |= {"urls": list(self._settings.urls), "title": message.title, "body": message.body}
        if order:
            sending = self._send(order)
            if sending is not None:
                self._wait(sending, until)

    def _send(self, order: Mapping[str, Any]) -> subprocess.Popen[bytes] | None:
        words = [sys.executable, "-m", "pipeline.unattended.notify"]
        try:
            child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=IMPORT_ROOT)
            if child.stdin is not None:
                with child.stdin as pipe:
                    pipe.write(json.dumps(order).encode())
        except OSError as error:
            self._report(f"not sent: {error.strerror or type(error).__name__}")
            return None
        return child

    def _wait(self, child: subprocess.Popen[bytes], until: float) -> None:
        try:
            # The pipe to the process is already closed, and its answer fits into a pipe's buffer: no deadlock.
            child.wait(timeout=max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            self._report("not sent: no answer in time")
            return
        finally:
            reported = child.stdout.read() if child.poll() is not None and child.stdout is not None else b""
            if child.stdout is not None:
                child.stdout.close()
        with contextlib.suppress(ValueError):
            for line in json.loads(reported or b"[]"):
                self._report(str(line))


def ping_address(address: str, end: str) -> str:
    """The address of a dead-man's switch with `start` or `fail` at the end of its path, as healthchecks.io expects it.

    >>> ping_address("https://ping.example/abc?x=1", "fail")
    'https://ping.example/abc/fail?x=1'
    >>> ping_address("https://ping.example/abc", "")
    'https://ping.example/abc'
    """
    parts = urlsplit(address)
    path = f"{parts.path.rstrip('/')}/{end}" if end else parts.path
    return urlunsplit(parts._replace(path=path))


def main() -> None:
    """The sending process: reads an order as JSON from stdin, writes failures as a JSON list of lines, and ends itself at the deadline."""
    # If the parent dies, nothing else ends this process. It ignores SIGINT, because Ctrl-C is meant for the run.
    signal.alarm(int(DEADLINE_SECONDS) + 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = json.load(sys.stdin)
    failed: list[str] = []
    jobs = []
    if order.get("ping"):
        jobs.append(threading.Thread(target=_guarded, args=(_ping, "ping", order, failed), daemon=True))
    if order.get("urls"):
        jobs.append(threading.Thread(target=_guarded, args=(_message, "message", order, failed), daemon=True))
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    os.write(1, json.dumps(failed).encode())
    # A normal exit would wait for threads that a library left behind.
    os._exit(0)


def _guarded(work: Callable[[Mapping[str, Any]], None], what: str, order: Mapping[str, Any], failed: list[str]) -> None:
    try:
        work(order)
    except Exception as error:  # noqa: BLE001 - any error of a library only means that the notification failed; its text may hold an address
        code = getattr(error, "code", "")
        failed.append(f"{what} not sent: {type(error).__name__}{f' {code}' if isinstance(code, int) else ''}")


def _ping(order: Mapping[str, Any]) -> None:
    from urllib.request import Request, urlopen

    # Only http and https: `load_settings` has checked it.
    with urlopen(Request(str(order["ping"]), headers={"User-Agent": "shortlist"}), timeout=DEADLINE_SECONDS) as answer:
        answer.read(1)


class _NotSentError(Exception):
    """At least one address did not accept the message."""


def _message(order: Mapping[str, Any]) -> None:
    import apprise

    # Product titles are not trusted. Because the body is declared as text, apprise escapes it for targets with HTML or Markdown.
    sender = apprise.Apprise()
    known = [sender.add(address) for address in order["urls"]]
    if not sender.notify(title=str(order["title"]), body=str(order["body"]), body_format=apprise.NotifyFormat.TEXT) or not all(known):
        raise _NotSentError


if __name__ == "__main__":
    main()
