"""Commands that write files for people or read a workbook that a person filled in: report, decide, sourcing."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import DATA, JSON, LANG, WEEK
from pipeline.cli.output import answer, answer_json, follow, requested_language, words


@click.command()
@WEEK
@DATA
@LANG
@JSON
def report(week: str | None, data: Path, as_json: bool) -> None:
    """Write report.html and shortlist.xlsx of a week again, from its Parquet files.

    \b
    Example: shortlist report --week 2026-W47 --lang zh
    """
    from pipeline.runs.lookup import rewrite_report, run_language

    follow(run_language(data, week))
    week, paths, is_changed = rewrite_report(data, week, requested_language())
    say = words()
    if as_json:
        answer_json({"week": week, "files": [str(path) for path in paths], "changed": is_changed})
        return
    answer([str(path) for path in paths])
    answer(say("written again; open the first in a browser") if is_changed else say("the files were already up to date"), "stderr")


@click.command()
@click.option(
    "--from",
    "workbook",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    required=True,
    help="A shortlist.xlsx, filled in.",
)
@click.option("--on", help="The day to date new decisions by (default: the day the workbook was judged as of).")
@DATA
@LANG
@JSON
def decide(workbook: Path, on: str | None, data: Path, as_json: bool) -> None:
    """Take the decisions and notes typed into a workbook over into decisions.csv, which every later run honours.

    \b
    Example: shortlist decide --from data/shortlists/2026-W47/shortlist.xlsx
    """
    from pipeline.runs.import_decisions import import_decisions

    reported = import_decisions(data, workbook, on)
    if as_json:
        answer_json(
            {"file": str(reported.path), "new": reported.new, "changed": reported.changed, "same": reported.same, "older": reported.older}
        )
        return
    say = words()
    answer(say(
        "{file}: {new:,} new, {changed:,} changed, {same:,} as before, {older:,} older than the decision in the file",
        file=reported.path, new=reported.new, changed=reported.changed, same=reported.same, older=reported.older,
    ))  # fmt: skip
    answer(say("next: `shortlist run` honours them"), "stderr")


@click.command()
@WEEK
@DATA
@click.option("--top", type=click.IntRange(min=1), help="How many (default: 40 in the terminal, else all).")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False, readable=False), help="Write a file: .csv, .xlsx or .json.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV on stdout.")
@LANG
@JSON
def sourcing(week: str | None, data: Path, top: int | None, out: Path | None, as_csv: bool, as_json: bool) -> None:
    """Candidates that lack only an offer, with the most that one may cost, best first.

    \b
    Example: shortlist sourcing --top 100 --out worklist.xlsx
    """
    from pipeline.publish.workbooks.sourcing import FORMATS, sourcing_csv, sourcing_lines, write_sourcing
    from pipeline.runs.lookup import run_language, sourcing_list

    if out is not None and out.suffix.lower() not in FORMATS:
        raise click.UsageError(f"--out {out.name}: the ending must be one of {', '.join(FORMATS)}")
    follow(run_language(data, week))
    in_terminal = out is None and not as_csv and not as_json
    week, rows, digits = sourcing_list(data, week, top or (40 if in_terminal else None))
    if out is not None:
        write_sourcing(out, rows, digits)
        answer(words()("{file}: {n:,} candidates of {week} wait for an offer", file=out, n=len(rows), week=week))
    elif as_json:
        answer_json({"week": week, "sourcing": rows})
    else:
        answer(sourcing_csv(rows, digits).decode("utf-8-sig").splitlines() if as_csv else sourcing_lines(rows, digits, words()))
