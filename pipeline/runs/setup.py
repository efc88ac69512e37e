"""Setup: check the configuration, list the known sources, and make a new data folder."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.config.files import load_configs, load_plan, read_starter_plan
from pipeline.config.locations import CLONE, CONFIGS, OWN_PLAN
from pipeline.costs.customs import parse_imports
from pipeline.costs.fees import parse_schedules
from pipeline.costs.fulfilment import parse_cards
from pipeline.ingest.sources.schema import load_sources
from pipeline.messages import ENGLISH, Words
from pipeline.runs.plan_check import check_plan
from pipeline.stages.categories.gate import compile_rules
from pipeline.store.data_folder import DataFolder
from pipeline.store.disk import replace_file
from pipeline.store.files import write_files
from pipeline.tables.schemas import DUMP_TABLES


def check_configs(plan: Path | None, say: Words = ENGLISH) -> list[str]:
    """Load the plan and everything in `configs/`; raises `PlanError`, else returns lines that summarise them."""
    held = load_plan(plan)
    check_plan(held)
    configs = load_configs()
    schedules = parse_schedules(configs.fee_tables, configs.digits)
    cards = parse_cards(configs.card_tables, configs.digits)
    parse_imports(configs.fee_tables, configs.digits)
    compile_rules(configs.category_tables)
    known = load_sources(CONFIGS / "sources")
    return [
        say(
            "plan {digest}: top {top}, {rates} exchange rates, {suppliers} suppliers",
            digest=held.digest()[:12], top=held.list.top, rates=len(held.exchange_rates), suppliers=len(held.suppliers),
        ),
        say(
            "{markets} marketplaces, {schedules} fee schedules, {cards} fulfilment cards, {sources} sources: all valid",
            markets=len(configs.marketplaces), schedules=len(schedules), cards=len(cards), sources=len(known),
        ),
    ]  # fmt: skip


def source_entries() -> list[dict[str, Any]]:
    """Each source with its table, title and the headers that identify it."""
    entries = []
    for source in load_sources(CONFIGS / "sources"):
        rule = source.recognise
        entries.append(
            {
                "name": source.name,
                "table": source.table or ("left out" if source.left_out else "refused"),
                "title": source.title,
                "all": list(rule.all),
                "any": list(rule.any),
                "required": [column.headers[0] for column in source.columns.values() if column.required],
            }
        )
    return entries


def source_lines(entries: list[dict[str, Any]], say: Words = ENGLISH) -> list[str]:
    """The result of `source_entries` as lines for a terminal."""
    lines = []
    for entry in entries:
        parts = [say.listed(entry["all"])] if entry["all"] else []
        parts += [say("one of {headers}", headers=say.listed(entry["any"]))] if entry["any"] else []
        parts += [say("columns {headers}", headers=say.listed(entry["required"]))] if entry["required"] else []
        names = say("; ").join(parts)
        lines.append(f"{entry['name']:<24} {entry['table']:<14} {entry['title']}")
        lines.append(f"{'':<24} " + say("recognised by: {headers}", headers=names))
    if CLONE is not None:
        lines.append(say("another tool's export: add a file to configs/sources/ (copy the nearest one); no code is needed"))
    return lines


def set_up(data: Path, is_default_data: bool, say: Words = ENGLISH) -> list[str]:
    """Make the data folder and a plan to edit; existing files stay unchanged. Returns lines that say what was made and how to run.

    An installed program with the default data folder puts the plan into the current folder, where commands find it. In a clone, or with
    another data folder, the plan is put into the data folder and `--plan` must name it.
    """
    held = DataFolder(data)
    lines = []
    if not held.dumps.is_dir():
        write_files(held.dumps, [])
        message = "made {folder}: put each week's exports into a folder named by its week, for example {example}"
        lines.append(say(message, folder=held.dumps, example=held.dumps / "2026-W47"))
    templates = data / "templates"
    if not templates.is_dir():
        write_files(templates, _templates())
        message = "made {folder}: one file per table with its headers; fill in what you have, leave out what you have not"
        lines.append(say(message, folder=templates))
    is_found = is_default_data and CLONE is None
    plan = Path(OWN_PLAN) if is_found else data / OWN_PLAN
    if not plan.exists():
        replace_file(plan, read_starter_plan(say.language).encode())
        lines.append(say("made {file}: your plan; every key in it has its default until you change it", file=plan))
    if not lines:
        return [say("{folder} is set up already", folder=data)]
    words = ["shortlist", "run", *([] if is_default_data else ["--data", str(data)]), *([] if is_found else ["--plan", str(plan)])]
    return [*lines, say("then run: {command}", command=shlex.join(words))]


def _templates() -> Iterator[tuple[str, list[bytes]]]:
    for source in load_sources(CONFIGS / "sources"):
        if source.name.startswith("canonical-") and source.table in DUMP_TABLES:
            headers = [rule.headers[0] for rule in source.columns.values()]
            yield f"{source.table}.csv", [(",".join(headers) + "\n").encode()]
