"""A run's folder is verified against what the run recorded."""

import hashlib

import pytest

from pipeline.store.verification import damaged_outputs, record_rewritten

FILES = {"a.parquet": b"x" * 1000, "report.html": b"page"}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "2026-W47" / "ab"
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


MANIFEST = {
    "outputs": {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()},
    "output_bytes": {name: len(content) for name, content in FILES.items()},
}


def found(run):
    return damaged_outputs(run, MANIFEST)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"y"),  # the same size
        lambda path: path.write_bytes(path.read_bytes() + b"\0"),
        lambda path: (path.unlink(), path.mkdir()),
    ],
)
def test_every_kind_of_damage_is_found(run, damage):
    assert found(run) == []
    damage(run / "a.parquet")
    assert found(run) == ["a.parquet"]


def test_a_run_of_an_earlier_version_without_sizes_is_verified_too(run):
    (run / "a.parquet").write_bytes(b"x" * 999 + b"y")
    assert damaged_outputs(run, {"outputs": MANIFEST["outputs"]}) == ["a.parquet"]


def test_a_rewritten_report_is_accepted_and_a_torn_one_is_not(run):
    new = b"page in another language"
    record_rewritten(run, {"report.html": hashlib.sha256(new).hexdigest()})
    assert found(run) == []  # killed before the file itself was replaced
    (run / "report.html").write_bytes(new)
    assert found(run) == []
    (run / "report.html").write_bytes(new[:-1])
    assert found(run) == ["report.html"]
