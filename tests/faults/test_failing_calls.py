"""Every file-system call of a run fails once, and from some point on for ever: the old list or the new one, and the next run is as ever."""

import errno
import itertools
import shutil

import pytest

WAYS = [
    pytest.param(errno.EIO, False, False, id="an error once"),
    pytest.param(errno.EIO, True, False, id="errors from then on"),
    pytest.param(errno.ENOSPC, False, False, id="no space once"),
    pytest.param(errno.ENOSPC, True, False, id="no space from then on"),
    pytest.param(errno.ENOSPC, False, True, id="a short write once"),
    pytest.param(errno.ENOSPC, True, True, id="a short write, then no space"),
]


def fail_each(case, failing, way, places):
    """Fail the calls at those places (counted from 1), one run each, until a run sees fewer; gives how many calls a run makes."""
    code, forever, is_short = way
    refused = 0
    for place in places:
        data = case.fresh()
        ended, calls, told = failing.tell(data, fault=[str(data), place, code, forever, is_short])
        is_clean = calls < place
        try:
            case.check(data, ended, told)
            assert ended in (0, 11, 14), told
            assert not is_clean or ended == 0
            refused += ended != 0
            case.recover(data)
        except AssertionError as error:
            raise AssertionError(f"call {place} of {calls}, exit {ended}: {told.strip()[-300:]}") from error
        shutil.rmtree(data)
        if is_clean:
            return calls, refused
    return None, refused


@pytest.mark.parametrize(("code", "forever", "is_short"), WAYS)
def test_a_call_that_fails_leaves_the_old_list_or_the_new_one(case, failing, code, forever, is_short, request):
    # One place in each of the six ways, spread over a run; every one of them under `make soak`.
    place = 5 + 40 * [way.id for way in WAYS].index(request.node.callspec.id)
    _, refused = fail_each(case, failing, (code, forever, is_short), [place])
    # A single short write is no failure: the rest is written by the next call.
    assert refused or (is_short and not forever)


@pytest.mark.soak
@pytest.mark.parametrize(("code", "forever", "is_short"), WAYS)
def test_every_call_fails_in_turn(case, failing, code, forever, is_short):
    calls, refused = fail_each(case, failing, (code, forever, is_short), itertools.count(1))
    print(f"{calls} calls, {refused} runs refused")
    assert calls > 100 and (refused > calls / 3 or (is_short and not forever))
