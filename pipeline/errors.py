"""Refusals and exit codes. A refusal is one line: where, what, what was wanted, and what to do."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_BUG = 1
EXIT_USAGE = 2


class Refusal(Exception):
    """An error in the input, the plan or the machine; the message is the one line that a person reads."""

    exit_code = EXIT_BUG
    label = "refused"

    def __str__(self) -> str:
        # Always one line: a file name or a cell may hold a line break.
        text = " ".join(str(argument) for argument in self.args)
        return f"{self.label}: " + "".join(c if c.isprintable() else " " for c in text)


class UsageError(Refusal):
    """Wrong arguments: an unknown week, or two weeks that contradict each other."""

    exit_code = EXIT_USAGE
    label = "usage"


class PlanError(Refusal):
    """The plan, a fee schedule, a source or another file of `configs/` is invalid."""

    exit_code = 10
    label = "plan refused"


class ModelError(PlanError):
    """A fitted model in the data folder is damaged, or this version did not write it."""

    label = "model refused"


class DumpError(Refusal):
    """The dump as a whole cannot be used: an unknown file, a cut-off file, a header with a repeated column."""

    exit_code = 11
    label = "dump refused"


class SetAsideError(Refusal):
    """More of a file was set aside than the plan allows."""

    exit_code = 12
    label = "dump refused"


class DoubtError(Refusal):
    """A strict run found a figure that differs from earlier weeks beyond its bounds."""

    exit_code = 12
    label = "dump refused"


class NothingToDo(Refusal):
    """There is no dump, or no run of the requested week."""

    exit_code = 13
    label = "nothing to do"


class NotWritten(Refusal):
    """The result could not be written; the last list is unchanged."""

    exit_code = 14
    label = "not written"


class Locked(Refusal):
    """Another run holds the data folder's lock."""

    exit_code = 75
    label = "locked"


class Stopped(BaseException):
    """A signal asked the process to end; raised so that work folders are removed on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
