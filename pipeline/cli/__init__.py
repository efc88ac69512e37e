"""The command line: each command translates its arguments, calls one function and prints the answer; `main` sets the exit code.

May import every other package. Only `output.py` prints.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from types import FrameType

import click

# Everything but the options is imported inside the commands: `--help` must answer at once, and pandas alone takes a second.
from pipeline import __version__
from pipeline.cli import files, operations, running, setup, training, viewing
from pipeline.cli.output import answer, words
from pipeline.errors import EXIT_BUG, Refusal, Stopped


def _tell_version(context: click.Context, parameter: click.Parameter, is_asked: bool) -> None:
    """The version and, since fees age, the first day of each marketplace's newest fee schedule."""
    if not is_asked or context.resilient_parsing:
        return
    from pipeline.config.files import newest_schedules

    answer(f"shortlist, version {__version__}")
    answer("fee schedules from " + "; ".join(f"{day} ({', '.join(codes)})" for day, codes in newest_schedules().items()))
    context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_tell_version, help="Version and fee schedules.")
def shortlist() -> None:
    """Choose products to sell on Amazon without stock: a week's CSV dump in, a ranked and explained shortlist out.

    \b
    First steps:
      shortlist check data/dumps/2026-W47     what would be read
      shortlist run                           the newest dump becomes a list
      shortlist explain B0EXAMPLE1            why a product is, or is not, on it
    """


for command in (
    running.run, viewing.check, viewing.explain, viewing.rejects, viewing.diff, files.report, files.decide, files.sourcing,
    operations.history, operations.rollback, operations.doctor, operations.schedule, training.train,
    setup.config, setup.list_sources, setup.init, setup.demo,
):  # fmt: skip
    shortlist.add_command(command)


def main() -> None:
    """Entry point: runs a command and turns every end into its exit code."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, stop)
    try:
        shortlist.main(standalone_mode=False)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "shortlist"
        answer(words().found(f"usage: {error.format_message().rstrip('.')}; see `{path} --help`"), "stderr")
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(128 + signal.SIGINT)
    except Stopped as stopped:
        answer(words()("stopped: the last list is unchanged"), "stderr")
        sys.exit(128 + stopped.number)
    except Refusal as refusal:
        answer(words().found(str(refusal)), "stderr")
        sys.exit(refusal.exit_code)
    except BrokenPipeError:
        # The reader closed the pipe (`| head`): the answer is right, and nothing is left to flush to.
        os._exit(0)
    except Exception as error:
        from pipeline.unattended.supervisor import end_of

        code, reported = end_of(error)
        if code == EXIT_BUG:
            raise
        # An I/O error that no module expected, no memory, or an answer that could not be printed (`> /dev/full`, a closed
        # stdout). In the last case stdout must not be flushed again.
        with contextlib.suppress(OSError):
            answer(words().found(reported), "stderr")
        os._exit(code)
