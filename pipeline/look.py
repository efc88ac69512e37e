"""What the looking commands show: one product of a week, the plan's soundness, the known sources, a new data folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline import store
from pipeline.calendar import checked_week
from pipeline.config import CONFIGS, Configs, load_configs, load_plan
from pipeline.customs import parse_imports
from pipeline.errors import NothingToDo
from pipeline.fees import parse_schedules
from pipeline.fulfilment import parse_cards
from pipeline.ingest.sources import load_sources
from pipeline.plan import Plan
from pipeline.plan_check import check_plan
from pipeline.publish.explain import explained
from pipeline.publish.sourcing import sourcing_rows
from pipeline.stages.categories import compile_rules
from pipeline.stages.category_trail import trail
from pipeline.tables import DUMP_TABLES
from pipeline.tasks import category_policy


def week_folder(data: Path, week: str | None) -> tuple[str, Path]:
    """The week asked for (else the newest with a list) and the folder of its list; raises `NothingToDo`."""
    held = store.DataFolder(data)
    if week is None:
        weeks = held.weeks()
        if not weeks:
            raise NothingToDo(f"{data} holds no list yet; run `shortlist run` first")
        real = [name for name in weeks if not (held.manifest(name) or {}).get("sample")]
        week = (real or weeks)[-1]
    week = checked_week(week)
    folder = held.current(week)
    if folder is None:
        known = ", ".join(held.weeks()[-5:]) or "none"
        raise NothingToDo(f"no list of {week} in {data}; there are: {known}")
    return week, folder


def explain_product(data: Path, product: str, week: str | None, marketplace: str | None) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each marketplace's decision on a product, explained, with its ranks in earlier weeks; raises `NothingToDo` when it is not there."""
    week, folder = week_folder(data, week)
    filters: list[tuple[str, str, object]] = [("product_id", "==", product)]
    if marketplace is not None:
        filters.append(("marketplace", "==", marketplace.upper()))
    table = store.read_parquet(folder / "decisions.parquet", None, filters)
    if not table.num_rows:
        raise NothingToDo(f"{product!r} is no candidate of {week}; `shortlist rejects` tells what was set aside")
    held = store.DataFolder(data)
    manifest = held.manifest(week) or {}
    plan = Plan.model_validate(manifest["plan"])
    for row in range(table.num_rows):
        one = table.slice(row, 1)
        ranks: dict[str, Any] = {}
        for earlier in [w for w in held.weeks() if w < week][-8:]:
            current = held.current(earlier)
            if current is not None:
                key = [("product_id", "==", product), ("marketplace", "==", one["marketplace"][0].as_py())]
                listed = store.read_parquet(current / "shortlist.parquet", ["rank"], key)
                ranks[earlier] = listed["rank"][0].as_py() if listed.num_rows else None
        configs = load_configs()
        yield {**explained(one, plan, configs.digits), "category_trail": _category_trail(one.to_pylist()[0], plan, configs)}, ranks


def _category_trail(row: dict[str, Any], plan: Plan, configs: Configs) -> list[str]:
    """The way to the row's category verdict, as long as the rule files are those of its run."""
    rules = compile_rules(configs.category_tables)
    if row.get("rules_version") != rules.digest[:16]:
        return ["the rule files have changed since this run: run the week again to see the way"]
    return trail((row.get("title"), row.get("brand"), row.get("category_path")), rules, category_policy(plan))


def sourcing_list(data: Path, week: str | None, top: int | None) -> tuple[str, list[dict[str, Any]], dict[str, int]]:
    """The week looked at, its sourcing worklist (best first, at most `top`), and the decimals of each currency."""
    week, folder = week_folder(data, week)
    return week, sourcing_rows(folder, top), dict(load_configs().digits)


def check_configs(plan: Path | None) -> list[str]:
    """Load everything in `configs/` and the plan; raises `PlanError`, else says what is in force."""
    held = load_plan(plan)
    check_plan(held)
    configs = load_configs()
    schedules = parse_schedules(configs.fee_tables, configs.digits)
    cards = parse_cards(configs.card_tables, configs.digits)
    parse_imports(configs.fee_tables, configs.digits)
    compile_rules(configs.category_tables)
    known = load_sources(CONFIGS / "sources")
    return [
        f"plan {held.digest()[:12]}: top {held.list.top}, {len(held.exchange_rates)} exchange rates, {len(held.suppliers)} suppliers",
        f"{len(configs.marketplaces)} marketplaces, {len(schedules)} fee schedules, {len(cards)} fulfilment cards, {len(known)} sources: "
        "all sound",
    ]


def source_entries() -> list[dict[str, Any]]:
    """Each source with its table, title and the headers that tell it."""
    entries = []
    for source in load_sources(CONFIGS / "sources"):
        tells = source.recognise
        entries.append(
            {
                "name": source.name,
                "table": source.table or ("left out" if source.left_out else "refused"),
                "title": source.title,
                "all": list(tells.all),
                "any": list(tells.any),
                "required": [rule.headers[0] for rule in source.columns.values() if rule.required],
            }
        )
    return entries


def source_lines(entries: list[dict[str, Any]]) -> list[str]:
    """The same for a terminal."""
    lines = []
    for entry in entries:
        parts = [", ".join(entry["all"])] if entry["all"] else []
        parts += [f"one of {', '.join(entry['any'])}"] if entry["any"] else []
        parts += [f"columns {', '.join(entry['required'])}"] if entry["required"] else []
        tells = "; ".join(parts)
        lines += [f"{entry['name']:<24} {entry['table']:<14} {entry['title']}", f"{'':<24} told by: {tells}"]
    lines.append("another tool's export: add a file to configs/sources/ (copy the nearest one); no code is needed")
    return lines


def make_data_folder(data: Path) -> list[str]:
    """`dumps/` and `templates/` with one header-only CSV per canonical table; what is there already is left alone."""
    held = store.DataFolder(data)
    lines = []
    if not held.dumps.is_dir():
        store.write_files(held.dumps, [])
        lines.append(f"made {held.dumps}: put each week's exports into a folder named by its week, for example {held.dumps / '2026-W47'}")
    templates = data / "templates"
    if not templates.is_dir():
        store.write_files(templates, _templates())
        lines.append(f"made {templates}: one file per table with its headers; fill in what you have, leave out what you have not")
    if not lines:
        lines.append(f"{data} is set up already")
    return lines


def _templates() -> Iterator[tuple[str, list[bytes]]]:
    for source in load_sources(CONFIGS / "sources"):
        if source.name.startswith("canonical-") and source.table in DUMP_TABLES:
            headers = [rule.headers[0] for rule in source.columns.values()]
            yield f"{source.table}.csv", [(",".join(headers) + "\n").encode()]
