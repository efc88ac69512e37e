"""What the looking commands show: one product of a week, the plan's soundness, the known sources, a new data folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline import store
from pipeline.calendar import checked_week
from pipeline.config import CONFIGS, Configs, load_configs, load_plan
from pipeline.customs import parse_imports
from pipeline.decide_task import category_policy
from pipeline.errors import NothingToDo, Refusal
from pipeline.fees import parse_schedules
from pipeline.fulfilment import parse_cards
from pipeline.ingest.sources import load_sources
from pipeline.messages import ENGLISH, Words
from pipeline.models import NO_MODELS, load_models
from pipeline.plan import Plan
from pipeline.plan_check import check_plan
from pipeline.publish.diff import Change, list_changes
from pipeline.publish.documents import documents
from pipeline.publish.explain import explained
from pipeline.publish.kept import SHOWN
from pipeline.publish.sourcing import sourcing_rows
from pipeline.publish.view import RunFolder
from pipeline.stages.categories import compile_rules
from pipeline.stages.category_model import CategoryModel
from pipeline.stages.category_trail import trail
from pipeline.store_disk import replace_file
from pipeline.tables import DUMP_TABLES


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
    plan = _plan_of(week, manifest)
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
        models = NO_MODELS if manifest.get("sample") else load_models(held)
        if models.digests.get("categories") != (manifest.get("models") or {}).get("categories"):
            way = ["the text model has changed since this run: run the week again to see the way"]
        else:
            way = _category_trail(one.to_pylist()[0], plan, configs, models.categories)
        yield {**explained(one, plan, configs.digits), "category_trail": way}, ranks


def _category_trail(row: dict[str, Any], plan: Plan, configs: Configs, model: CategoryModel | None) -> list[str]:
    """The way to the row's category verdict, as long as the rule files are those of its run."""
    rules = compile_rules(configs.category_tables)
    if row.get("rules_version") != rules.digest[:16]:
        return ["the rule files have changed since this run: run the week again to see the way"]
    cells = (row.get("title"), row.get("brand"), row.get("category_path"))
    return trail(cells, rules, category_policy(plan), model, row.get("category_reason") or "")


def sourcing_list(data: Path, week: str | None, top: int | None) -> tuple[str, list[dict[str, Any]], dict[str, int]]:
    """The week looked at, its sourcing worklist (best first, at most `top`), and the decimals of each currency."""
    week, folder = week_folder(data, week)
    return week, sourcing_rows(folder, top), dict(load_configs().digits)


def _plan_of(week: str, manifest: dict[str, Any]) -> Plan:
    """The plan that a week's run was made with; raises `NothingToDo` for one of an earlier version."""
    try:
        return Plan.model_validate(manifest["plan"])
    except ValidationError:
        raise NothingToDo(f"the list of {week} was made by an earlier version, without a report; run the week again") from None


def list_diff(data: Path, before: str, after: str) -> tuple[str, str, list[Change]]:
    """Two weeks' names and what changed from the list of the first to that of the second; raises `NothingToDo`."""
    old_week, old = week_folder(data, before)
    new_week, new = week_folder(data, after)
    return old_week, new_week, list_changes(old, new)


def rewrite_report(data: Path, week: str | None, lang: str | None) -> tuple[str, list[Path], bool]:
    """Write the report and the workbook of a week again from its run's folder: the week, the files, and whether a byte changed.

    `lang` is the language asked for, else that of the run. What decides (the Parquet files and run.json) is not touched; each of the two
    files is replaced in one step.
    """
    held = store.DataFolder(data)
    week, folder = week_folder(data, week)
    if not (folder / SHOWN).is_file():
        raise NothingToDo(f"the list of {week} was made by an earlier version, without a report; run the week again")
    with held.lock():
        manifest = held.manifest(week) or {}
        _plan_of(week, manifest)
        previous = held.run(manifest.get("previous_week"), manifest.get("previous_run"))
        run = RunFolder(folder, previous, manifest, lang or manifest["options"].get("lang", "en"))
        paths, is_changed = [], False
        for name, content in documents(run):
            path = folder / name
            if store.content(path) != content:
                replace_file(path, content)
                is_changed = True
            paths.append(held.root / "shortlists" / week / name)
    return week, paths, is_changed


def spoken(data: Path, week: str | None) -> str | None:
    """The language that the plan of a week's run names; None where there is no such run."""
    try:
        held = store.DataFolder(data).manifest(week_folder(data, week)[0]) or {}
    except Refusal:
        return None
    language = held.get("plan", {}).get("report", {}).get("language")
    return str(language) if language else None


def plan_language(plan: Path | None) -> str | None:
    """The language that a plan names; None where it cannot be read (who reads it in earnest will say why)."""
    try:
        return load_plan(plan).report.language
    except Refusal:
        return None


def check_configs(plan: Path | None, say: Words = ENGLISH) -> list[str]:
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
        say(
            "plan {digest}: top {top}, {rates} exchange rates, {suppliers} suppliers",
            digest=held.digest()[:12], top=held.list.top, rates=len(held.exchange_rates), suppliers=len(held.suppliers),
        ),
        say(
            "{markets} marketplaces, {schedules} fee schedules, {cards} fulfilment cards, {sources} sources: all sound",
            markets=len(configs.marketplaces), schedules=len(schedules), cards=len(cards), sources=len(known),
        ),
    ]  # fmt: skip


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


def source_lines(entries: list[dict[str, Any]], say: Words = ENGLISH) -> list[str]:
    """The same for a terminal."""
    lines = []
    for entry in entries:
        parts = [say.listed(entry["all"])] if entry["all"] else []
        parts += [say("one of {headers}", headers=say.listed(entry["any"]))] if entry["any"] else []
        parts += [say("columns {headers}", headers=say.listed(entry["required"]))] if entry["required"] else []
        tells = say("; ").join(parts)
        lines += [f"{entry['name']:<24} {entry['table']:<14} {entry['title']}", f"{'':<24} " + say("told by: {headers}", headers=tells)]
    lines.append(say("another tool's export: add a file to configs/sources/ (copy the nearest one); no code is needed"))
    return lines


def make_data_folder(data: Path, say: Words = ENGLISH) -> list[str]:
    """`dumps/` and `templates/` with one header-only CSV per canonical table; what is there already is left alone."""
    held = store.DataFolder(data)
    lines = []
    if not held.dumps.is_dir():
        store.write_files(held.dumps, [])
        told = "made {folder}: put each week's exports into a folder named by its week, for example {example}"
        lines.append(say(told, folder=held.dumps, example=held.dumps / "2026-W47"))
    templates = data / "templates"
    if not templates.is_dir():
        store.write_files(templates, _templates())
        told = "made {folder}: one file per table with its headers; fill in what you have, leave out what you have not"
        lines.append(say(told, folder=templates))
    return lines or [say("{folder} is set up already", folder=data)]


def _templates() -> Iterator[tuple[str, list[bytes]]]:
    for source in load_sources(CONFIGS / "sources"):
        if source.name.startswith("canonical-") and source.table in DUMP_TABLES:
            headers = [rule.headers[0] for rule in source.columns.values()]
            yield f"{source.table}.csv", [(",".join(headers) + "\n").encode()]
