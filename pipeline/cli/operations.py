"""Commands for operators: history, rollback, doctor, schedule."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import DATA, JSON, LANG, PLAN, WEEK
from pipeline.cli.output import answer, answer_json, follow, words


@click.command()
@WEEK
@DATA
@LANG
@JSON
def history(week: str | None, data: Path, as_json: bool) -> None:
    """List every run in the data folder, and mark the one in force in each week.

    \b
    Example: shortlist history --week 2026-W47
    """
    from pipeline.runs.lookup import run_language
    from pipeline.unattended.history import history_lines, history_of

    follow(run_language(data, None))
    entries = history_of(data, week)
    if as_json:
        answer_json({"runs": entries})
    else:
        answer(history_lines(entries, words()))


@click.command()
@click.argument("week")
@click.argument("run")
@DATA
@LANG
def rollback(week: str, run: str, data: Path) -> None:
    """Make an earlier RUN of a WEEK its list in force; `shortlist history` names them.

    \b
    Example: shortlist rollback 2026-W47 3f8c02
    """
    from pipeline.runs.lookup import run_language
    from pipeline.unattended.history import roll_back

    follow(run_language(data, None))
    answer(roll_back(data, week, run, words()))


@click.command()
@DATA
@PLAN
@LANG
@JSON
def doctor(data: Path, plan: Path | None, as_json: bool) -> None:
    """Check everything that a run needs; each line says what to do. The exit code is the one that a run would end with now.

    \b
    Example: shortlist doctor
    """
    from pipeline.messages import ENGLISH
    from pipeline.runs.lookup import plan_language
    from pipeline.unattended.doctor import doctor_lines, examine

    follow(plan_language(plan))
    findings = examine(data, plan, ENGLISH if as_json else words())
    if as_json:
        answer_json({"findings": [vars(finding) for finding in findings]})
    else:
        answer(doctor_lines(findings, words()))
    sys.exit(next((finding.exit_code for finding in findings if finding.exit_code), 0))


@click.group()
def schedule() -> None:
    """Weekly unattended runs."""


@schedule.command("print")
@click.option("--cron", "kind", flag_value="cron", help="A line for `crontab -e`.")
@click.option("--systemd", "kind", flag_value="systemd", help="A service and a timer.")
@DATA
@PLAN
@click.option("--day", type=click.Choice(("mon", "tue", "wed", "thu", "fri", "sat", "sun")), default="mon", show_default=True)
@click.option("--at", default="06:30", show_default=True, help="Hour and minute.")
@click.option("--zone", help="Time zone of that hour, such as Asia/Shanghai (default: this machine's).")
@click.option("--memory", default="75%", show_default=True, help="Memory that a run may use (systemd).")
@LANG
def schedule_print(kind: str | None, data: Path, plan: Path | None, **when: Any) -> None:
    """Print the text for a scheduler; nothing is installed.

    \b
    Example: shortlist schedule print --cron --day mon --at 06:30 --zone Asia/Shanghai
    """
    from pipeline.runs.lookup import plan_language
    from pipeline.unattended.machine import scheduled
    from pipeline.unattended.schedule import cron_lines, systemd_lines

    if kind is None:
        raise click.UsageError("say which scheduler: --cron or --systemd")
    follow(plan_language(plan))
    reported = scheduled(data, plan, **when)
    answer(cron_lines(reported, words()) if kind == "cron" else systemd_lines(reported))
