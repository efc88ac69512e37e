"""Commands that show a dump or a list and write nothing: check, explain, rejects, diff."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipeline.cli.options import DATA, JSON, LANG, PLAN, WEEK
from pipeline.cli.output import answer, answer_json, follow, words


@click.command()
@click.argument("dump", type=click.Path(path_type=Path, readable=False))
@PLAN
@LANG
@JSON
def check(dump: Path, plan: Path | None, as_json: bool) -> None:
    """Show how a dump would be read; writes nothing.

    \b
    Example: shortlist check data/dumps/2026-W47
    """
    from pipeline.config.files import load_plan
    from pipeline.runs.inspect import check_dump, check_lines
    from pipeline.runs.lookup import plan_language

    follow(plan_language(plan))
    reported = check_dump(dump, load_plan(plan))
    if as_json:
        answer_json(reported)
    else:
        answer(check_lines(reported, words()))
    if reported["problems"]:
        from pipeline.errors import DumpError

        sys.exit(DumpError.exit_code)


@click.command()
@click.argument("product_id")
@WEEK
@DATA
@click.option("--marketplace", help="Which marketplace, where the product is in several.")
@LANG
@JSON
def explain(product_id: str, week: str | None, data: Path, marketplace: str | None, as_json: bool) -> None:
    """Explain why a product is, or is not, on the list: every rule, the costs, the score, the evidence.

    \b
    Example: shortlist explain B0EXAMPLE1 --week 2026-W47
    """
    from pipeline.publish.text.explain import explained_text
    from pipeline.runs.lookup import explain_product, run_language

    follow(run_language(data, week))
    for place, (reported, ranks) in enumerate(explain_product(data, product_id, week, marketplace)):
        if as_json:
            answer_json({**reported, "ranks": ranks})
            continue
        answer(([""] if place else []) + explained_text(reported, ranks, words()))


@click.command()
@WEEK
@DATA
@click.option("--top", type=click.IntRange(min=1), default=40, show_default=True, help="How many reasons.")
@LANG
@JSON
def rejects(week: str | None, data: Path, top: int, as_json: bool) -> None:
    """The reasons of a week with counts and the nearest misses, and what was set aside.

    \b
    Example: shortlist rejects --week 2026-W47
    """
    from pipeline.publish.text.rejects import reject_lines, reject_reasons
    from pipeline.publish.text.stopped_categories import segment_lines, stopped_segments
    from pipeline.runs.lookup import run_language, week_folder

    follow(run_language(data, week))
    folder = week_folder(data, week)[1]
    reported = {**reject_reasons(folder, top), "categories": stopped_segments(folder, top)}
    if as_json:
        answer_json(reported)
    else:
        answer(reject_lines(reported, segment_lines(reported["categories"], words()), words()))


@click.command()
@click.argument("before", metavar="WEEK")
@click.argument("after", metavar="WEEK")
@DATA
@LANG
@JSON
def diff(before: str, after: str, data: Path, as_json: bool) -> None:
    """What changed from one week's list to another's: who entered, who left, who moved, and why.

    \b
    Example: shortlist diff 2026-W46 2026-W47
    """
    from pipeline.config.files import load_configs
    from pipeline.publish.text.diff import changes_json
    from pipeline.publish.view.sentences import diff_lines
    from pipeline.runs.lookup import list_diff, run_language

    follow(run_language(data, after))
    old, new, changes = list_diff(data, before, after)
    if as_json:
        answer_json({"before": old, "after": new, "changes": changes_json(changes)})
    else:
        answer(diff_lines(old, new, changes, load_configs().digits, words()))
