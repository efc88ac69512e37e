"""The command `train`, which fits models to the seller's own records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import DATA, JSON, LANG, PLAN, WEEK
from pipeline.cli.output import answer, answer_json, bar, follow, is_watched, words


@dataclass(frozen=True)
class Fitting:
    """Options of `train`, as the command received them."""

    dumps: tuple[Path, ...]
    week: str | None
    data: Path
    plan: Path | None
    dry_run: bool
    categories: bool
    labels: tuple[Path, ...]
    taxonomy: tuple[Path, ...]


@click.command()
@click.argument("dumps", nargs=-1, type=click.Path(path_type=Path, readable=False))
@WEEK
@DATA
@PLAN
@click.option("--dry-run", is_flag=True, help="Fit and report, but keep nothing.")
@click.option("--categories", is_flag=True, help="Fit the text model for listings without a known category instead.")
@click.option(
    "--labels",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    help="CSV: title, department [category_path source].",
)
@click.option(
    "--taxonomy",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    help="Google's or Shopify's taxonomy with ids.",
)
@LANG
@JSON
def train(as_json: bool, **asked: Any) -> None:
    """Fit models to your own records: return rates to order lines and return reports, price moves to price histories.

    DUMPS are folders or files; without them every complete folder of dumps/ is read. Runs use the model from then on.
    With --categories the text model is fitted to labelled rows (--labels, else category_labels.csv in the data folder), to your own
    category decisions in decisions.csv, and to taxonomies.

    \b
    Example: shortlist train --dry-run
             shortlist train --categories --taxonomy taxonomy-with-ids.en-US.txt --labels my-labels.csv
    """
    from pipeline.runs.lookup import plan_language

    fitting = Fitting(**asked)
    follow(plan_language(fitting.plan))
    if fitting.categories:
        from pipeline.training.categories import CategoryOptions, train_categories

        asked_for = CategoryOptions(fitting.data, fitting.labels, fitting.taxonomy, fitting.dry_run)
        _answer_trained([train_categories(asked_for)], fitting.dry_run, as_json)
        return
    from pipeline.engine import unwatched
    from pipeline.training.train import TrainOptions
    from pipeline.training.train import train as fit

    def say(line: str) -> None:
        if is_watched():
            answer(words().found(line), "stderr")

    options = TrainOptions(fitting.data, fitting.dumps, fitting.week, fitting.plan, fitting.dry_run)
    reported = fit(options, say, bar if is_watched() and not as_json else unwatched)
    _answer_trained(reported, fitting.dry_run, as_json)


def _answer_trained(trained: list[Any], dry_run: bool, as_json: bool) -> None:
    if as_json:
        answer_json({one.kind: {"sha256": one.digest, **one.card} for one in trained})
        return
    for one in trained:
        answer(one.lines(words()))
    if not dry_run:
        answer(words()("kept; the next run uses it"), "stderr")
