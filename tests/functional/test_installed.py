"""The program as it is installed from a wheel: without its repository, from whatever folder a person is in. No network is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from pipeline import __version__
from pipeline.config.files import code_digest, load_plan

_BUILD = "import sys; from hatchling import build; print(getattr(build, sys.argv[1])(sys.argv[2]))"


def _called(*words, cwd, status=0):
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "SHORTLIST"))}
    done = subprocess.run([*map(str, words)], cwd=cwd, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stderr
    return done


def _built(hook, source, folder):
    """The archive that the build backend makes of a source folder."""
    return folder / _called(sys.executable, "-c", _BUILD, hook, folder, cwd=source).stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def archives(root, tmp_path_factory):
    """The source archive of this repository, and the wheel that is built from that archive alone."""
    folder = tmp_path_factory.mktemp("dist")
    sdist = _built("build_sdist", root, folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return sdist, _built("build_wheel", folder / sdist.name.removesuffix(".tar.gz"), folder)


@pytest.fixture(scope="module")
def installed(archives, tmp_path_factory):
    """An environment that holds the wheel; the libraries that it needs are those of the environment that runs the tests."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, symlinks=True)
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    _called(*pip, archives[1], cwd=place)
    (site,) = place.glob("lib/python*/site-packages")
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "libraries.pth").write_text("".join(f"{path}\n" for path in sorted(libraries)), "utf-8")
    return place / "bin"


@pytest.fixture
def shortlist(installed, tmp_path):
    """Call the installed command in an empty folder."""

    def call(*words, status=0):
        return _called(installed / "shortlist", *words, cwd=tmp_path, status=status)

    return call


def test_the_wheel_holds_every_configuration_file_and_template_and_nothing_beside_the_package(root, archives):
    names = set(zipfile.ZipFile(archives[1]).namelist())
    configs = {f"pipeline/_configs/{path.relative_to(root / 'configs').as_posix()}" for path in (root / "configs").rglob("*.toml")}
    package = {
        path.relative_to(root).as_posix() for path in (root / "pipeline").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == configs | package


def test_the_source_archive_holds_no_file_of_a_seller(archives):
    with tarfile.open(archives[0]) as archive:
        inside = {name.split("/", 1)[1] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "Makefile", "requirements/run.txt", "tests/conftest.py"} <= inside
    assert {name.split("/")[1] for name in inside if name.startswith("data/")} == {"README.md", "sample"}


def test_an_installed_program_is_the_same_program_for_the_run_id(installed, tmp_path):
    code = "from pipeline.config import files, locations; print(locations.CLONE, locations.PACKAGE, files.code_digest())"
    clone, package, digest = _called(installed / "python", "-c", code, cwd=tmp_path).stdout.split()
    assert (clone, digest) == ("None", code_digest())
    assert Path(package).is_relative_to(installed.parent)


def test_the_version_comes_with_the_days_of_the_fee_schedules(root, shortlist):
    version, fees = shortlist("--version").stdout.splitlines()
    us = tomllib.loads((root / "configs/marketplaces/us.toml").read_text("utf-8"))
    assert version == f"shortlist, version {__version__}"
    assert f"{max(schedule['valid_from'] for schedule in us['schedule'])} (JP, US)" in fees


def test_a_first_hour_in_an_empty_folder(shortlist, tmp_path):
    """`init`, an invented market in place of exports, a changed plan, a list: no option names a data folder or a plan."""
    made = shortlist("init").stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "shortlist.toml"]
    assert made.splitlines()[-1] == "then run: shortlist run"
    assert "nothing to do: no complete dump in data/dumps" in shortlist("run", "--sample-if-empty", status=13).stderr

    shortlist("demo", "market", "--products", "200")
    (tmp_path / "market/dumps/2026-W47").rename(tmp_path / "data/dumps/2026-W47")
    plan = tmp_path / "shortlist.toml"
    plan.write_text(plan.read_text("utf-8").replace("# top = 50 ", "top = 7 "), "utf-8")
    assert "plan " in shortlist("config", "check").stdout
    assert "list.top = 7" in shortlist("config", "show").stdout.splitlines()
    known = shortlist("sources").stdout
    assert "keepa" in known and "configs/sources/" not in known  # the place to add a source is a clone

    assert shortlist("run").stdout.startswith("done in ")
    manifest = json.loads((tmp_path / "data/shortlists/2026-W47/run.json").read_text("utf-8"))
    assert manifest["plan"]["list"]["top"] == 7 and manifest["sample"] is False
    assert (tmp_path / "data/shortlists/2026-W47/report.html").stat().st_size > 10_000
    assert shortlist("run").stdout.startswith("up to date: ")

    scheduled = shortlist("schedule", "print", "--cron").stdout
    assert f"--data {tmp_path}/data --plan {tmp_path}/shortlist.toml" in scheduled
    assert "requirements/run.txt" not in shortlist("doctor").stdout


def test_a_plan_in_a_data_folder_of_ones_own_is_named_by_init_and_used_only_when_named(shortlist, tmp_path):
    told = shortlist("init", "--data", "my market").stdout
    assert told.splitlines()[-1] == "then run: shortlist run --data 'my market' --plan 'my market/shortlist.toml'"
    assert not (tmp_path / "shortlist.toml").exists()
    refused = shortlist("run", "--data", "my market", status=13).stderr.splitlines()
    assert refused[0] == "warning: my market/shortlist.toml is not used; to use it, add --plan 'my market/shortlist.toml'"


def test_a_changed_plan_of_the_folder_is_another_plan_than_the_shipped_one(shortlist, tmp_path):
    digest = load_plan().digest()
    assert digest in shortlist("config", "show").stdout
    (tmp_path / "shortlist.toml").write_text("[list]\ntop = 3\n", "utf-8")
    assert digest not in shortlist("config", "show").stdout
    (tmp_path / "shortlist.toml").write_text("[list]\ntopp = 3\n", "utf-8")
    assert shortlist("config", "check", status=10).stderr == (
        "plan refused: shortlist.toml: unknown key 'topp' in [list]; did you mean 'top'?\n"
    )
