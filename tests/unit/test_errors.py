"""Every class of refusal has its exit code, and is one line whatever stands in it."""

import pytest

from pipeline import errors

CODES = {
    "UsageError": 2, "PlanError": 10, "DumpError": 11, "SetAsideError": 12, "DoubtError": 12, "NothingToDo": 13, "NotWritten": 14, "Locked": 75,
}  # fmt: skip


def test_the_codes_are_those_of_the_contract():
    assert {refusal.__name__: refusal.exit_code for refusal in errors.Refusal.__subclasses__()} == CODES


@pytest.mark.parametrize("name", CODES)
def test_a_refusal_is_one_line(name):
    told = str(getattr(errors, name)("a\nb\r\x1b[31mc\u2028d"))
    assert told == f"{getattr(errors, name).label}: a b  [31mc d"
