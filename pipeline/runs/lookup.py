"""Queries on finished runs, for the commands that show a list: one product, sourcing, the difference of two weeks, the report rewritten."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config.files import Configs, load_configs, load_plan
from pipeline.config.plan import Plan
from pipeline.errors import NothingToDo, Refusal
from pipeline.publish.documents import documents
from pipeline.publish.tables.report_inputs import SHOWN
from pipeline.publish.text.diff import Change, list_changes
from pipeline.publish.text.explain import explained
from pipeline.publish.view.run_view import RunFolder
from pipeline.publish.workbooks.sourcing import sourcing_rows
from pipeline.runs.decide_task import category_policy
from pipeline.stages.categories.gate import compile_rules
from pipeline.stages.categories.text_model import CategoryModel
from pipeline.stages.categories.trace import trail
from pipeline.stages.fitted_models import NO_MODELS
from pipeline.store.data_folder import DataFolder
from pipeline.store.disk import replace_file
from pipeline.store.files import content_or_none
from pipeline.store.model_files import load_models
from pipeline.store.parquet import read_parquet
from pipeline.store.verification import record_rewritten
from pipeline.tables.calendar import checked_week


def week_folder(data: Path, week: str | None) -> tuple[str, Path]:
    """The requested week (else the newest with a list) and the folder of its current run; raises `NothingToDo`."""
    held = DataFolder(data)
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
    """The explained decision on a product in each marketplace, and its earlier ranks; raises `NothingToDo` for an unknown product."""
    week, folder = week_folder(data, week)
    filters: list[tuple[str, str, object]] = [("product_id", "==", product)]
    if marketplace is not None:
        filters.append(("marketplace", "==", marketplace.upper()))
    table = read_parquet(folder / "decisions.parquet", None, filters)
    if not table.num_rows:
        raise NothingToDo(f"{product!r} is no candidate of {week}; `shortlist rejects` shows what was set aside")
    held = DataFolder(data)
    manifest = held.manifest(week) or {}
    plan = _plan_of(week, manifest)
    for row in range(table.num_rows):
        one = table.slice(row, 1)
        ranks: dict[str, Any] = {}
        for earlier in [w for w in held.weeks() if w < week][-8:]:
            current = held.current(earlier)
            if current is not None:
                key = [("product_id", "==", product), ("marketplace", "==", one["marketplace"][0].as_py())]
                listed = read_parquet(current / "shortlist.parquet", ["rank"], key)
                ranks[earlier] = listed["rank"][0].as_py() if listed.num_rows else None
        configs = load_configs()
        models = NO_MODELS if manifest.get("sample") else load_models(held)
        if models.digests.get("categories") != (manifest.get("models") or {}).get("categories"):
            way = ["the text model has changed since this run: run the week again to see the steps"]
        else:
            way = _category_trace(one.to_pylist()[0], plan, configs, models.categories)
        yield {**explained(one, plan, configs.digits), "category_trail": way}, ranks


def _category_trace(row: dict[str, Any], plan: Plan, configs: Configs, model: CategoryModel | None) -> list[str]:
    """The steps to the row's category verdict; one line that says so where the rule files have changed since the run."""
    rules = compile_rules(configs.category_tables)
    if row.get("rules_version") != rules.digest[:16]:
        return ["the rule files have changed since this run: run the week again to see the steps"]
    cells = (row.get("title"), row.get("brand"), row.get("category_path"))
    return trail(cells, rules, category_policy(plan), model, row.get("category_reason") or "")


def sourcing_list(data: Path, week: str | None, top: int | None) -> tuple[str, list[dict[str, Any]], dict[str, int]]:
    """The week, its sourcing worklist (best first, at most `top` rows), and the decimals of each currency."""
    week, folder = week_folder(data, week)
    return week, sourcing_rows(folder, top), dict(load_configs().digits)


def _plan_of(week: str, manifest: dict[str, Any]) -> Plan:
    """The plan of a week's run; raises `NothingToDo` for a plan of an earlier version."""
    try:
        return Plan.model_validate(manifest["plan"])
    except ValidationError:
        raise NothingToDo(f"the list of {week} was made by an earlier version, without a report; run the week again") from None


def list_diff(data: Path, before: str, after: str) -> tuple[str, str, list[Change]]:
    """The names of two weeks and the changes from the first list to the second; raises `NothingToDo`."""
    old_week, old = week_folder(data, before)
    new_week, new = week_folder(data, after)
    return old_week, new_week, list_changes(old, new)


def rewrite_report(data: Path, week: str | None, lang: str | None) -> tuple[str, list[Path], bool]:
    """Write the report and the workbook of a week again from its run's folder; returns the week, the files, and whether a byte changed.

    `lang` is the requested language; None means that of the run. The Parquet files and `run.json` are not touched; each of the two files
    is replaced in one step.
    """
    held = DataFolder(data)
    week, folder = week_folder(data, week)
    if not (folder / SHOWN).is_file():
        raise NothingToDo(f"the list of {week} was made by an earlier version, without a report; run the week again")
    with held.lock():
        manifest = held.manifest(week) or {}
        _plan_of(week, manifest)
        previous = held.run(manifest.get("previous_week"), manifest.get("previous_run"))
        run = RunFolder(folder, previous, manifest, lang or manifest["options"].get("lang", "en"))
        made = list(documents(run))
        changed = [(name, content) for name, content in made if content_or_none(folder / name) != content]
        if changed:
            record_rewritten(folder, {name: hashlib.sha256(content).hexdigest() for name, content in changed})
        for name, content in changed:
            replace_file(folder / name, content)
    return week, [held.root / "shortlists" / week / name for name, _ in made], bool(changed)


def run_language(data: Path, week: str | None) -> str | None:
    """The language in the plan of a week's run; None where there is no such run."""
    try:
        held = DataFolder(data).manifest(week_folder(data, week)[0]) or {}
    except Refusal:
        return None
    language = held.get("plan", {}).get("report", {}).get("language")
    return str(language) if language else None


def plan_language(plan: Path | None) -> str | None:
    """The language in a plan; None where the plan cannot be read (the command that needs it reports why)."""
    try:
        return load_plan(plan).report.language
    except Refusal:
        return None
