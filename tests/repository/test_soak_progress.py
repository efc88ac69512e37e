"""A long test continues where the last one stopped, and starts again for another version of the program."""

from itertools import count

import pytest
from soak_progress import Checkpoint


class Stopped(Exception):
    pass


def stop(reason):
    raise Stopped(reason)


def test_a_checkpoint_continues_where_it_stopped(tmp_path):
    first = Checkpoint("a test[one]", "program 1", stop, tmp_path, seconds=1e9)
    for unit in first.left(count(1)):
        first.add(unit, [unit * 10, "x"])
        if unit == 3:
            break
    again = Checkpoint("a test[one]", "program 1", stop, tmp_path, seconds=1e9)
    assert again.entries == {1: [10, "x"], 2: [20, "x"], 3: [30, "x"]}
    assert next(again.left(count(1))) == 4 and list(again.left(range(1, 4))) == []


def test_another_program_starts_again(tmp_path):
    Checkpoint("name", "program 1", stop, tmp_path).add(1, True)
    assert Checkpoint("name", "program 2", stop, tmp_path).entries == {}


def test_it_stops_when_the_time_is_up_and_says_how_far_it_is(tmp_path):
    held = Checkpoint("name", "program", stop, tmp_path, seconds=-1)
    held.add(1, 0)
    with pytest.raises(Stopped, match="1 done"):
        list(held.left(range(5)))
