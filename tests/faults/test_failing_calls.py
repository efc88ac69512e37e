"""Each file-system call of a run fails, once or from then on: the old list or the new one is complete, and the next run succeeds."""

import errno
import itertools
import shutil
from collections import Counter

import pytest

WAYS = [
    pytest.param(errno.EIO, False, False, id="an error once"),
    pytest.param(errno.EIO, True, False, id="errors from then on"),
    pytest.param(errno.ENOSPC, False, False, id="no space once"),
    pytest.param(errno.ENOSPC, True, False, id="no space from then on"),
    pytest.param(errno.ENOSPC, False, True, id="a short write once"),
    pytest.param(errno.ENOSPC, True, True, id="a short write, then no space"),
]


def fail(case, failing, way, place):
    """Fail the n-th call (`place`, from 1) of a run and check the invariant; returns the exit code and the number of calls."""
    code, forever, is_short = way
    data = case.fresh()
    ended, calls, printed = failing.run(data, fault=[str(data), place, code, forever, is_short])
    try:
        case.check(data, ended, printed)
        assert ended in (0, 11, 14), printed
        assert calls >= place or ended == 0
        case.recover(data)
    except AssertionError as error:
        raise AssertionError(f"call {place} of {calls}, exit {ended}: {printed.strip()[-300:]}: {error}") from error
    shutil.rmtree(data)
    return ended, calls


@pytest.mark.parametrize(("code", "forever", "is_short"), WAYS)
def test_a_call_that_fails_leaves_the_old_list_or_the_new_one(case, failing, code, forever, is_short, request):
    # One place in each of the six ways, spread over a run; every one of them under `make soak`.
    place = 5 + 40 * [way.id for way in WAYS].index(request.node.callspec.id)
    ended, _ = fail(case, failing, (code, forever, is_short), place)
    # A single short write is no failure: the rest is written by the next call.
    assert ended or (is_short and not forever)


@pytest.mark.soak
@pytest.mark.parametrize(("code", "forever", "is_short"), WAYS)
def test_every_call_fails_in_turn(case, failing, checkpoint, code, forever, is_short):
    def is_through():
        """Whether a run was seen that made fewer calls than the place at which one was to fail."""
        return any(calls < place for place, (_, calls) in checkpoint.entries.items())

    for place in itertools.takewhile(lambda _: not is_through(), checkpoint.left(itertools.count(1))):
        checkpoint.add(place, fail(case, failing, (code, forever, is_short), place))
    came = list(checkpoint.entries.values())
    refused = Counter(ended for ended, _ in came)
    print(f"{len(came)} runs, the last of them untouched; exit codes {dict(sorted(refused.items()))}")
    assert came[-1][1] < len(came) and len(came) > 100
    assert refused.total() - refused[0] > len(came) / 3 or (is_short and not forever)
