"""A list that was damaged on the disk is never reported as up to date: it is made again from its inputs."""

import json
import shutil

import pytest

from pipeline.errors import NotWritten

OUTPUTS = ("shortlist.parquet", "decisions.parquet", "set_aside.parquet", "shortlist.xlsx", "report.html", "shown.parquet")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.json"}


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_damaged_output_of_the_current_list_is_made_again(make_dump, run, tmp_path, name, is_deleted):
    dump = make_dump()
    first = run(dump)
    whole = contents(first.folder)
    (first.folder / name).unlink() if is_deleted else (first.folder / name).write_bytes(whole[name][: len(whole[name]) // 2])
    again = run(dump)
    assert again.is_new and again.folder == first.folder
    assert [line for line in again.lines if name in line and "made again" in line]
    assert contents(again.folder) == whole
    assert not run(dump).is_new


def test_a_damaged_run_is_not_pointed_to_when_it_becomes_current_again(make_dump, run):
    dump = make_dump()
    first = run(dump)
    whole = contents(first.folder)
    assert run(dump, top=3).folder != first.folder
    (first.folder / "shortlist.parquet").write_bytes(b"PAR1")
    back = run(dump)
    assert back.folder == first.folder and contents(back.folder) == whole


def test_a_report_in_another_language_is_no_damage(make_dump, run, command, tmp_path):
    dump = make_dump()
    run(dump)
    assert command("report", "--data", tmp_path / "data", "--lang", "zh").returncode == 0
    assert not run(dump).is_new


@pytest.mark.parametrize("content", ["{}", "[]", "null", "7", '{"week": 3}', "", "\\x00", '{"sample": false'])
def test_a_manifest_of_any_wrong_shape_is_14_with_its_name(make_dump, run, command, tmp_path, content):
    dump = make_dump()
    folder = run(dump).folder
    (folder / "run.json").write_text(content, encoding="utf-8")
    for words in (("run", dump), ("explain", "B0EXAMPLE1"), ("rejects",), ("history",), ("report",)):
        done = command(*words, "--data", tmp_path / "data")
        assert done.returncode == 14 and "run.json" in done.stderr, (words, done)
        assert "Traceback" not in done.stderr


def test_a_key_that_is_missing_from_the_manifest_is_14(make_dump, run):
    dump = make_dump()
    path = run(dump).folder / "run.json"
    held = json.loads(path.read_text("utf-8"))
    for key in ("outputs", "run_id", "sample", "verdicts", "options", "new", "gone", "week"):
        path.write_text(json.dumps({name: value for name, value in held.items() if name != key}), encoding="utf-8")
        with pytest.raises(NotWritten, match=r"run\.json"):
            run(dump)


def test_doctor_verifies_every_kept_run(make_dump, run, command, tmp_path):
    dump = make_dump()
    first = run(dump)
    run(dump, top=3)
    assert "2 verified" in command("doctor", "--data", tmp_path / "data").stdout
    (first.folder / "decisions.parquet").write_bytes(b"PAR1")
    told = command("doctor", "--data", tmp_path / "data")
    assert str(first.folder / "decisions.parquet") in told.stdout and told.returncode != 0
    shutil.rmtree(first.folder)
    assert "1 verified" in command("doctor", "--data", tmp_path / "data").stdout
