"""Commands for setup: config, sources, init, demo."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import DATA, JSON, LANG, PLAN
from pipeline.cli.output import answer, answer_json, words
from pipeline.config.locations import default_data, default_plan


@click.group()
def config() -> None:
    """The plan: test it, or see the one in force."""


@config.command("check")
@click.argument("plan", required=False, type=click.Path(path_type=Path, dir_okay=False, readable=False), default=default_plan)
@LANG
def config_check(plan: Path | None) -> None:
    """Test a plan, the fee schedules, the category tables and the sources; exit 10 and one line if something is wrong.

    \b
    Example: shortlist config check my-plan.toml
    """
    from pipeline.runs.setup import check_configs

    answer(check_configs(plan, words()))


@config.command("show")
@PLAN
@JSON
def config_show(plan: Path | None, as_json: bool) -> None:
    """Print the plan in force, with its hash.

    \b
    Example: shortlist config show --plan my-plan.toml
    """
    from pipeline.config.files import load_plan, plan_lines

    held = load_plan(plan)
    if as_json:
        answer_json({"sha256": held.digest(), "plan": held.model_dump(mode="json", by_alias=True)})
    else:
        answer(plan_lines(held))


@click.command("sources")
@LANG
@JSON
def list_sources(as_json: bool) -> None:
    """List the exports that are recognised, and the headers that identify them.

    \b
    Example: shortlist sources
    """
    from pipeline.runs.setup import source_entries, source_lines

    entries = source_entries()
    if as_json:
        answer_json({"sources": entries})
    else:
        answer(source_lines(entries, words()))


@click.command()
@DATA
@LANG
def init(data: Path) -> None:
    """Make the data folder, an empty file of each canonical table to fill in, and a plan with every common key to edit.

    What is there already is left alone.

    \b
    Example: shortlist init --data ~/amazon
    """
    from pipeline.runs.setup import set_up

    answer(set_up(data, data == default_data(), words()))


@click.command()
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path, readable=False))
@click.option("--products", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--weeks", type=click.IntRange(min=1), default=1, show_default=True, help="How many weekly dumps.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--until", default="2026-W47", show_default=True, help="The last week.")
def demo(target: Path, products: int, weeks: int, seed: int, until: str) -> None:
    """Invent a market to try things on: canonical and Keepa dumps, and the truth behind them.

    \b
    Example: shortlist demo /tmp/market --products 5000 --weeks 4 --seed 1
             shortlist run /tmp/market/dumps/2026-W47 --data /tmp/market/data
    """
    from pipeline.demo.write import demo_lines, write_demo

    answer(demo_lines(write_demo(target, products, weeks, seed, until)))
