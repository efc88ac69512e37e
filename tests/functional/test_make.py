"""`make` as a newcomer meets it: what it says, what it hands on, how it sees a broken environment. No network is used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import environment
import pytest

MAKE = shutil.which("make") or pytest.skip("make is not here", allow_module_level=True)
LOCKS = ("run", "dev")


@pytest.fixture
def clone(root, tmp_path):
    """A fresh clone as far as `make` looks at it, in a folder with a blank in its name."""
    place = tmp_path / "a clone"
    place.mkdir()
    for name in ("tools", "requirements"):
        shutil.copytree(root / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(root / name, place / name)
    return place


def make(clone: Path, *arguments: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": path, "LC_ALL": "C"}  # nothing of the make that runs this very test
    return subprocess.run([MAKE, *arguments], cwd=clone, env=environ, capture_output=True, text=True, check=False)


def script(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
    path.chmod(0o755)


@pytest.fixture
def bare_path(tmp_path):
    """A PATH with a shell and a few tools, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "sed", "expand", "env"):
        (folder / name).symlink_to(shutil.which(name) or name)
    return folder


@pytest.fixture
def pretended(clone):
    """An environment that says of itself that it is whole, with a `shortlist` that writes down its arguments."""
    script(clone / ".venv/bin/python", "exit 0")
    script(clone / ".venv/bin/shortlist", 'for word; do printf "[%s]" "$word"; done; exit "${GIVES:-0}"')
    return clone


def test_make_alone_is_help_and_names_every_target_a_reader_needs(clone, bare_path):
    answer = make(clone, path=str(bare_path))
    assert answer.returncode == 0
    listed = set(re.findall(r"^  (\w+) ", answer.stdout, re.MULTILINE))
    assert {"help", "setup", "shortlist", "test", "check", "clean"} <= listed
    assert answer.stderr == ""


def test_without_python_one_line_says_what_to_install_and_nothing_is_made(clone, bare_path):
    answer = make(clone, "shortlist", path=str(bare_path))
    assert answer.returncode == 2
    said, make_own = answer.stderr.splitlines()
    assert said.startswith("setup stopped: no Python 3.11 or newer found; install one")
    assert make_own.startswith("make: ***")
    assert not (clone / ".venv").exists()


def test_a_python_too_old_or_a_name_that_leads_nowhere_is_passed_over(clone, bare_path):
    script(bare_path / "python3", "exit 3")
    script(bare_path / "python3.13", "echo no such command >&2; exit 127")
    assert "no Python 3.11 or newer found" in make(clone, "setup", path=str(bare_path)).stderr


def test_a_python_without_venv_is_told_with_the_package_that_brings_it(clone, bare_path):
    script(bare_path / "python3.12", "echo 3.12; exit 4")
    answer = make(clone, "test", path=str(bare_path))
    assert answer.stderr.splitlines()[0].startswith("setup stopped: Python 3.12 has no venv module; install it")
    assert "python3.12-venv" in answer.stderr


def test_the_newest_python_that_works_is_taken(clone, bare_path):
    for version in ("3.11", "3.12"):
        script(bare_path / f"python{version}", f"echo /opt/python{version}")
    finder = [str(clone / "tools/find-python")]
    found = subprocess.run(finder, env={"PATH": str(bare_path)}, capture_output=True, text=True, check=True)
    assert found.stdout == "/opt/python3.12\n"
    script(bare_path / "mine", "echo /opt/mine")
    environ = {"PATH": str(bare_path), "PYTHON": "mine"}
    assert subprocess.run(finder, env=environ, capture_output=True, text=True, check=True).stdout == "/opt/mine\n"


def test_shortlist_alone_leaves_the_choice_of_the_week_to_the_command(pretended):
    answer = make(pretended, "shortlist")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "[run][--sample-if-empty]", "")


def test_shortlist_hands_on_week_dump_and_arguments_with_blanks_and_quotes(pretended):
    answer = make(pretended, "shortlist", "WEEK=2026-W47", "DUMP=my dump's; echo $$HOME", "ARGS=--top 3")
    assert answer.stdout == "[run][--sample-if-empty][--week][2026-W47][--top][3][--][my dump's; echo $HOME]"


def test_a_failing_run_fails_make_too(pretended):
    script(pretended / ".venv/bin/shortlist", "exit 11")
    assert make(pretended, "shortlist").returncode == 2


@pytest.mark.parametrize("kind", LOCKS)
def test_a_lock_names_no_index_no_host_and_no_path_and_every_version_has_a_hash(root, kind):
    lock = (root / f"requirements/{kind}.txt").read_text("utf-8")
    assert "://" not in lock
    assert not re.search(r"index-url|find-links|file:|(^|\s)/\w", lock)
    pins = re.split(r"^(?=[A-Za-z0-9])", "\n".join(x for x in lock.splitlines() if not x.strip().startswith("#")), flags=re.MULTILINE)
    assert len(pins) > 15
    assert [pin for pin in pins if pin.strip() and not re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}", pin, re.DOTALL)] == []


def pins(root: Path, kind: str) -> set[str]:
    return set(re.findall(r"^[A-Za-z0-9._-]+==[^\\\n]*", (root / f"requirements/{kind}.txt").read_text("utf-8"), re.MULTILINE))


def test_what_the_tests_run_with_is_what_a_run_runs_with(root):
    assert pins(root, "run") <= pins(root, "dev")


def test_the_locks_hold_every_direct_dependency_and_the_build_backend(root):
    held = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    project, backend = held["project"], held["build-system"]["requires"]
    assert backend == [line for line in (root / "requirements/build.in").read_text("utf-8").splitlines() if not line.startswith("#")]
    run, dev = (environment.locked_names((root / f"requirements/{kind}.txt").read_text("utf-8")) for kind in LOCKS)
    names = {kind: {re.split(r"[<>=~! \[;]", want)[0] for want in wants} for kind, wants in
             (("run", project["dependencies"] + backend), ("dev", project["optional-dependencies"]["dev"]))}  # fmt: skip
    assert names["run"] <= run, "run make lock"
    assert names["dev"] <= dev, "run make lock"


# What counts as broken: environment.check, told in the environment's place.


@pytest.fixture
def whole(clone, monkeypatch):
    """A clone whose environment is finished, seen from inside it."""
    (clone / ".venv").mkdir()
    monkeypatch.setattr(sys, "prefix", str(clone / ".venv"))
    for name, content in environment.wanted(clone, "dev").items():
        (clone / ".venv" / name).write_bytes(content)
    facts = {"place": str(clone / ".venv"), "python": list(sys.version_info[:2]), "packages": ["click", "pytest"]}
    (clone / ".venv" / environment.FINISHED).write_text(json.dumps(facts), "utf-8")
    return clone


def test_a_finished_environment_is_whole_for_both_kinds(whole):
    assert environment.check(whole, "dev") == ""
    assert environment.check(whole, "run") == ""


def test_an_interrupted_set_up_is_seen(whole):
    (whole / ".venv" / environment.FINISHED).unlink()
    assert environment.check(whole, "run") == "+its set-up was not finished"


def test_a_spoilt_note_is_an_unfinished_set_up(whole):
    (whole / ".venv" / environment.FINISHED).write_text("{", "utf-8")
    assert environment.check(whole, "run") == "+its set-up was not finished"


@pytest.mark.parametrize("file", ["requirements/dev.txt", "requirements/run.txt", "pyproject.toml"])
def test_a_changed_lock_is_seen(whole, file):
    (whole / file).write_text((whole / file).read_text("utf-8") + "# one more\n", "utf-8")
    assert environment.check(whole, "dev") == "+requirements have changed"


def test_the_tests_tools_do_not_make_a_run_wait(whole):
    (whole / "requirements/dev.txt").write_text("", "utf-8")
    assert environment.check(whole, "run") == ""


def test_a_moved_folder_is_seen(whole, monkeypatch):
    moved = whole.with_name("moved")
    whole.rename(moved)
    monkeypatch.setattr(sys, "prefix", str(moved / ".venv"))
    assert environment.check(moved, "run") == "it was moved, or its Python was changed"


def test_another_python_under_the_same_name_is_seen(whole, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))
    assert environment.check(whole, "run") == "it was moved, or its Python was changed"


def test_a_python_that_is_not_the_environments_is_seen(whole, monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/usr")
    assert environment.check(whole, "run") == "it is not an environment of its own"


@pytest.fixture
def packages(tmp_path):
    """A folder with one installed package, `thing`, of one file of three bytes."""
    (tmp_path / "thing-1.dist-info").mkdir()
    (tmp_path / "thing-1.dist-info/METADATA").write_text("Name: thing\nVersion: 1\n", "utf-8")
    (tmp_path / "thing-1.dist-info/RECORD").write_text("thing.py,sha256=x,3\nthing.pyc,,\n", "utf-8")
    (tmp_path / "thing.py").write_text("a=1", "utf-8")
    return tmp_path


def test_a_package_with_all_its_files_is_sound(packages):
    assert environment.damage(["thing"], packages) == ""


def test_a_package_that_is_gone_is_seen(packages):
    assert environment.damage(["other", "thing"], packages) == "other is not installed"


def test_a_package_that_lost_a_file_is_seen(packages):
    (packages / "thing.py").unlink()
    assert environment.damage(["thing"], packages) == "thing has lost thing.py"


def test_a_file_cut_short_is_seen(packages):
    (packages / "thing.py").write_text("a", "utf-8")
    assert environment.damage(["thing"], packages) == "thing: thing.py is not as it was installed"


def test_a_package_without_its_record_is_half_installed(packages):
    (packages / "thing-1.dist-info/RECORD").unlink()
    assert environment.damage(["thing"], packages) == "thing is half installed"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "WARNING: Retrying after NewConnectionError\nERROR: No matching distribution found for click",
            "packages cannot be fetched",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n  Expected", "a package is not the one"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk is full"),
        ("something\nERROR: odd\n", "ERROR: odd"),
        ("", "no reason given"),
    ],
)
def test_whatever_pip_complains_of_becomes_one_line(said, told):
    line = environment._one_line(said)
    assert line.startswith(told)
    assert "\n" not in line
