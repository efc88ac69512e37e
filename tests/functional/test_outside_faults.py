"""Errors of the machine or the input never end as a bug; text that reaches a terminal, a shell or an e-mail is escaped."""

import errno
import json
import os
import shlex
import shutil
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from email import message_from_string
from pathlib import Path

import pytest

from pipeline import engine
from pipeline.errors import NotWritten
from pipeline.unattended.supervisor import end_of

HOSTILE = "\x07\x1b]0;x\x07\x7f\x85\x9b31m\u202e\u2028\u2066\U000e0001"


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_error_of_the_operating_system_ends_as_14_with_a_cure(number):
    code, line = end_of(OSError(number, os.strerror(number), "some/file"))
    assert code == 14 and os.strerror(number) in line and "some/file" in line and "; " in line and "\n" not in line


def test_a_bug_is_still_a_bug():
    assert end_of(KeyError("price"))[0] == 1


def test_a_worker_killed_between_two_stages_is_the_machines_fault():
    class Broken(engine.SerialExecutor):
        """A pool that noticed, since the last tasks, that a worker was killed."""

        def submit(self, fn, /, *args, **kwargs):
            raise BrokenProcessPool

    with pytest.raises(NotWritten, match="a worker was killed"):
        engine.run_all(Broken(), abs, [1])


def test_a_log_that_is_a_fifo_without_a_reader_holds_nothing_up(make_dump, command, tmp_path):
    os.mkfifo(tmp_path / "log")
    done = command("run", make_dump(), "--data", tmp_path / "data", "--log", tmp_path / "log", env={}, timeout=60)
    assert done.returncode == 0 and "the log cannot be written" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root reads everything and setpriv is not here")
def test_a_dump_that_cannot_be_read_is_11(make_dump, tmp_path, root):
    dump = make_dump()
    dump.chmod(0)
    words = [sys.executable, "-m", "pipeline", "run", str(dump), "--dry-run", "--data", str(tmp_path / "data")]
    if os.geteuid() == 0:
        for path in (tmp_path, *tmp_path.parents):
            if path.stat().st_mode & 0o005 != 0o005:
                pytest.skip("the folders above the test's own are closed to other users")
        words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *words]
    try:
        done = subprocess.run(words, capture_output=True, text=True, cwd=root, timeout=60, check=False)
    finally:
        dump.chmod(0o755)
    assert done.returncode == 11 and "Traceback" not in done.stderr, done


def test_the_traceback_of_a_bug_stands_in_the_log_with_the_versions(make_dump, tmp_path, monkeypatch, command):
    from pipeline.runs import week_run

    def broken(*_):
        raise KeyError("invented")

    monkeypatch.setattr(week_run, "gather", broken)
    done = command("run", make_dump(), "--data", tmp_path / "data", "--log", tmp_path / "log")
    assert done.returncode == 1
    told = [json.loads(line) for line in (tmp_path / "log").read_text("utf-8").splitlines()]
    failed = next(line for line in told if line["event"] == "failed")
    assert "KeyError: 'invented'" in failed["traceback"] and failed["versions"]["shortlist"]


def test_json_answers_hold_no_character_that_a_terminal_obeys(make_dump, command, tmp_path):
    dump = make_dump(candidate={"title": f"box {HOSTILE}", "brand": HOSTILE})
    data = tmp_path / "data"
    for words in (
        ("check", dump), ("run", dump, "--data", data), ("explain", "B0EXAMPLE1", "--data", data), ("rejects", "--data", data),
        ("history", "--data", data), ("diff", "2026-W47", "2026-W47", "--data", data), ("sourcing", "--data", data), ("sources",),
    ):  # fmt: skip
        told = command(*words, "--json")
        assert told.returncode == 0, (words, told.stderr)
        assert not [c for c in told.stdout if not c.isprintable() and c != "\n"], words
        json.loads(told.stdout)
        plain = command(*words)
        assert not [c for c in plain.stdout + plain.stderr if not c.isprintable() and c not in "\n\t"], words
    title = json.loads(command("explain", "B0EXAMPLE1", "--data", data, "--json").stdout)
    assert HOSTILE in json.dumps(title, ensure_ascii=False).encode().decode("unicode_escape", "replace") or title


@pytest.mark.parametrize("product", ["$(touch x)", "a b", "`id`", "a;b", "a'b", "--help"])
def test_a_command_shown_in_the_report_is_quoted_for_the_shell(make_dump, run, product):
    folder = run(make_dump(candidate={"product_id": product})).folder
    page = (folder / "report.html").read_text("utf-8")
    import html
    import re

    shown = [html.unescape(text) for text in re.findall(r"<code>(shortlist explain .*?)</code>", page)]
    assert shown and all(shlex.split(text)[2:] == [product] for text in shown)


def test_titles_in_messages_are_text_for_every_kind_of_target(monkeypatch, tmp_path):
    apprise = pytest.importorskip("apprise", reason="the extra `notify` is not installed")
    import socketserver
    import threading

    received = []

    class Smtp(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                if line.upper().startswith(b"DATA"):
                    self.wfile.write(b"354 go on\r\n")
                    received.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                self.wfile.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 ok\r\n")

    from pipeline.unattended.notify import _message

    assert apprise
    body = 'top 1\n1. US B0EXAMPLE1 <img src="http://pixel.example/x"> [a](http://link.example) **b**: USD 29.99'
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for form in ("text", "html", "markdown"):
            url = f"mailto://127.0.0.1:{server.server_address[1]}?from=a@b.example&to=c@d.example&format={form}"
            _message({"urls": [url], "title": "<b>week</b>", "body": body})
        server.shutdown()
    assert len(received) == 3
    for text in received:
        for part in message_from_string(text).walk():
            if part.get_content_type() == "text/html":
                shown = part.get_payload(decode=True).decode()
                assert "<img" not in shown and "&lt;img" in shown


def test_the_names_of_new_parents_are_forced_to_the_disk(make_dump, run, tmp_path, monkeypatch):
    """On a first run every new folder's own name must survive a power cut before the pointer moves."""
    from pipeline.store import data_folder, disk

    events = []
    real_sync, real_point = disk.sync_folder, data_folder.DataFolder.point
    for module in (disk, data_folder):
        monkeypatch.setattr(module, "sync_folder", lambda folder: (events.append(Path(folder)), real_sync(folder))[1])
    monkeypatch.setattr(
        data_folder.DataFolder, "point", lambda self, week, run_id: (events.append("point"), real_point(self, week, run_id))[1]
    )
    data = run(make_dump()).folder.parents[2]
    before = events[: events.index("point")]
    for parent in (data, data / "runs", data / "runs" / "2026-W47", data / "store", data / "store" / "weeks"):
        assert parent in before, parent


def test_an_empty_week_folder_is_removed_with_its_last_run(make_dump, run):
    from pipeline.store.data_folder import DataFolder

    folder = run(make_dump()).folder
    DataFolder(folder.parents[2]).remove_run("2026-W47", folder)
    assert not folder.parent.exists()
