"""The command `run`, which makes the list of a week."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import DATA, JSON, LANG, PLAN, WEEK
from pipeline.cli.output import answer, answer_json, bar, follow, is_watched, requested_language, words
from pipeline.config.locations import OWN_PLAN, default_plan
from pipeline.errors import Locked, Refusal

if TYPE_CHECKING:
    from pipeline.unattended.history import Outcome


@click.command()
@click.argument("dump", required=False, type=click.Path(path_type=Path, readable=False))
@WEEK
@DATA
@PLAN
@click.option("--top", type=click.IntRange(min=1), help="Length of the list (default: the plan's).")
@click.option("--workers", type=click.IntRange(min=1), help="Processes (default: one for small dumps, else one per processor).")
@click.option("--dry-run", is_flag=True, help="Do everything except writing.")
@click.option("--strict", is_flag=True, help="Refuse (exit 12) a record that cannot be taken, or figures unlike the last weeks'.")
@click.option("--rebuild", is_flag=True, help="Run later weeks again that this dump has made stale.")
@click.option("--keep", type=click.IntRange(min=1), help="Remove all but the newest KEEP runs; never this or last week's list.")
@click.option("--log", envvar="SHORTLIST_LOG", metavar="FILE", help="Append JSON lines about the run (- is stderr).")
@click.option("--quiet", is_flag=True, help="Nothing on stderr but refusals.")
@click.option("--sample-if-empty", is_flag=True, hidden=True)
@LANG
@JSON
def run(quiet: bool, as_json: bool, rebuild: bool, keep: int | None, log: str | None, **asked: Any) -> None:
    """Turn one week's dump into a list.

    DUMP is a folder or a file; without it the newest complete folder of dumps/ is taken.

    \b
    Example: shortlist run data/dumps/2026-W47 --top 30
    """
    from pipeline.unattended.supervisor import Outputs, RunRequest, supervised_run

    def use_plan_language() -> None:
        # Only after the lock is held, because reading a plan loads heavy libraries.
        from pipeline.runs.lookup import plan_language

        follow(plan_language(asked["plan"]))

    def say(line: str) -> None:
        if not quiet and is_watched():
            answer(words().found(line), "stderr")

    def warn(line: str) -> None:
        if not quiet:
            answer(words()("warning: {text}", text=words().found(line)), "stderr")

    def answer_run(outcome: Outcome) -> None:
        use_plan_language()
        _answer_run(outcome, quiet, as_json, asked["dry_run"])

    _name_plan(asked["data"], asked["plan"], say, warn)
    try:
        has_bar = is_watched() and not quiet and not as_json
        asked |= {"lang": requested_language(), "watch": bar if has_bar else None}
        supervised_run(asked, RunRequest(rebuild, keep, log), Outputs(say, warn, answer_run))
    except Refusal as refusal:
        if not isinstance(refusal, Locked):
            use_plan_language()
        raise


def _name_plan(data: Path, plan: Path | None, say: Callable[[str], None], warn: Callable[[str], None]) -> None:
    """Report a plan that is used without being named, and warn of one that may be meant but is not used."""
    beside = data / OWN_PLAN
    if plan is None and beside.is_file():
        warn(f"{beside} is not used; to use it, add --plan {shlex.quote(str(beside))}")
    elif plan is not None and plan == default_plan():
        say(f"plan: {plan} of this folder")


def _answer_run(outcome: Outcome, quiet: bool, as_json: bool, dry_run: bool) -> None:
    from pipeline.publish.text.summary import next_steps, stale_lines, summary_line

    result = outcome.result
    if as_json:
        shown = str(result.folder) if result.folder else None
        weeks = {"rebuilt": outcome.rebuilt, "stale": dict(outcome.stale), "pruned": outcome.pruned}
        answer_json({**result.manifest, "folder": shown, "is_new": result.is_new, "notices": result.lines, **weeks})
        return
    for line in result.lines:
        answer(words()("warning: {text}", text=words().found(line)), "stderr")
    steps = next_steps(result.manifest, result.is_new, dry_run, words())
    if not quiet:
        reported = stale_lines(outcome.rebuilt, outcome.stale, outcome.pruned, words())
        for line in [*steps.before, *reported]:
            answer(line, "stderr")
    answer(summary_line(result.manifest, result.is_new, words()))
    if not quiet:
        answer(steps.after, "stderr")
