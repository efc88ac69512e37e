"""Which dump a run takes."""

from __future__ import annotations

import pytest

from pipeline.errors import NothingToDo
from pipeline.runs.inputs import find_dump
from pipeline.store.data_folder import DataFolder


@pytest.fixture
def data(tmp_path):
    for name in ("2026-W46/a.csv", "2026-W46/_SUCCESS", "2026-W47/a.csv"):
        path = tmp_path / "dumps" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return DataFolder(tmp_path)


@pytest.mark.parametrize("week", [None, "2026-W47"])
def test_a_sender_who_marks_whole_dumps_is_waited_for(data, week):
    with pytest.raises(NothingToDo, match=r"2026-W47 holds no _SUCCESS yet, as 2026-W46 does"):
        find_dump(data, None, week, False)
    (data.dumps / "2026-W47" / "_SUCCESS").touch()
    assert find_dump(data, None, week, False) == (data.dumps / "2026-W47", "2026-W47", False)


def test_an_older_dump_and_a_folder_that_is_named_are_taken_without_a_mark(data):
    assert find_dump(data, None, "2026-W46", False)[1] == "2026-W46"
    assert find_dump(data, data.dumps / "2026-W47", None, False)[1] == "2026-W47"


def test_where_nobody_marks_dumps_none_is_waited_for(data):
    (data.dumps / "2026-W46" / "_SUCCESS").unlink()
    assert find_dump(data, None, None, False)[1] == "2026-W47"
