"""Every refusal, each with its own exit code: where, what, what was wanted, what to do, in one line."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_BUG = 1
EXIT_USAGE = 2


class Refusal(Exception):
    """Something outside the program is wrong; the message is the one line that a person reads."""

    exit_code = EXIT_BUG
    label = "refused"

    def __str__(self) -> str:
        # One line whatever a stranger's file name or cell holds: a line break in it must not make two.
        text = " ".join(str(argument) for argument in self.args)
        return f"{self.label}: " + "".join(c if c.isprintable() else " " for c in text)


class UsageError(Refusal):
    """The command's words are off: an unknown week, two weeks that contradict each other."""

    exit_code = EXIT_USAGE
    label = "usage"


class PlanError(Refusal):
    """The plan, a fee schedule, a source or another file of `configs/` cannot be taken."""

    exit_code = 10
    label = "plan refused"


class ModelError(PlanError):
    """A fitted model in the data folder is old, foreign or damaged."""

    label = "model refused"


class DumpError(Refusal):
    """The dump cannot be taken as a whole: no known file, cut off, doubled header."""

    exit_code = 11
    label = "dump refused"


class SetAsideError(Refusal):
    """More of a file was set aside than the plan allows."""

    exit_code = 12
    label = "dump refused"


class DoubtError(Refusal):
    """A strict run found a figure unlike the weeks before."""

    exit_code = 12
    label = "dump refused"


class NothingToDo(Refusal):
    """There is no dump, or no run of the week that was asked for."""

    exit_code = 13
    label = "nothing to do"


class NotWritten(Refusal):
    """The disk did not take the result; the last list still stands."""

    exit_code = 14
    label = "not written"


class Locked(Refusal):
    """Another run holds the data folder's lock."""

    exit_code = 75
    label = "locked"


class Stopped(BaseException):
    """A signal asked the process to end; raised so that work folders are swept on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
