"""The manifest (`run.json`) and the metadata of a run's files, and the comparison of its figures with earlier weeks."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.files import load_configs
from pipeline.config.plan import Plan
from pipeline.costs.fees import FeeSchedule, parse_schedules
from pipeline.errors import DoubtError
from pipeline.publish.tables.run_json import SCHEMA_VERSION, totals
from pipeline.publish.tables.shortlist import Lists
from pipeline.publish.text.warnings import pass_share_warning, rate_warnings, supplier_questions
from pipeline.publish.text.week_shape import doubts, plain, shape_of
from pipeline.runs.decide_task import DecideAnswer
from pipeline.runs.inputs import Inputs, versions
from pipeline.stages.fitted_models import FittedModels
from pipeline.stages.margin.unit_economics import schedules_in_force
from pipeline.stages.returns.drift import added_up, drift_warning
from pipeline.store.data_folder import DataFolder
from pipeline.store.files import file_digest
from pipeline.store.parquet import read_parquet
from pipeline.tables.calendar import sunday_of
from pipeline.tables.schemas import DUMP_TABLES

VERDICTS = ("shortlisted", "passed", "review", "incomplete", "rejected")


def file_metadata(inputs: Inputs, plan: Plan) -> dict[str, str]:
    """The metadata written into a run's Parquet files; nothing in it differs between two runs on the same inputs."""
    as_of = sunday_of(inputs.week)
    return {
        "week": inputs.week,
        "as_of": str(as_of),
        "sample": "true" if inputs.is_sample else "false",
        "plan_sha256": plan.digest(),
        "configs_sha256": load_configs().digest,
        "fee_schedules": json.dumps({market: schedule.id for market, schedule in _fee_schedules(as_of)}),
        "shortlist_version": versions()["shortlist"],
        "schema_version": str(SCHEMA_VERSION),
    }


@dataclass(frozen=True)
class RunTables:
    """What a run has read, decided and written so far.

    `entries` is the line accounting by file, `before` the folder of the last list (new and gone products are counted against it), `out` the
    folder of the written files.
    """

    entries: Sequence[Mapping[str, Any]]
    lists: Lists
    decided: Sequence[DecideAnswer]
    before: Path | None
    out: Path


def manifest_of(inputs: Inputs, plan: Plan, made: RunTables) -> dict[str, Any]:
    """The manifest without shape and doubts, which `compare` adds: inputs, counts, warnings, versions and hashes."""
    as_of = sunday_of(inputs.week)
    lists, verdicts = made.lists, {name: made.lists.verdicts.get(name, 0) for name in VERDICTS}
    alone = Counter[str]()
    for answer in made.decided:
        alone.update(answer.rejects_alone)
    earlier = _keys_of(made.before)
    share = pass_share_warning(alone, verdicts, plan.general)
    return {
        "schema_version": SCHEMA_VERSION,
        "week": inputs.week,
        "as_of": as_of.isoformat(),
        "sample": inputs.is_sample,
        "dump": inputs.dump.name,
        "inputs": [dict(entry) for entry in made.entries],
        "ground": inputs.ground.plain(),
        "totals": totals(made.entries),
        "candidates": sum(verdicts.values()),
        "verdicts": verdicts,
        "previous_week": inputs.ground.previous[0] if inputs.ground.previous else None,
        "new": len(set(lists.listed) - earlier),
        "gone": len(earlier - set(lists.listed)),
        "warnings": [*_warnings(made, plan), *([share] if share else [])],
        "questions": supplier_questions(made.out / "decisions.parquet"),
        "rejects_alone": dict(sorted(alone.items())),
        "plan": plan.model_dump(mode="json", by_alias=True),
        "plan_sha256": plan.digest(),
        "configs_sha256": load_configs().digest,
        "fee_schedules": [
            {
                "id": schedule.id, "marketplace": market, "valid_from": schedule.valid_from.isoformat(),
                "valid_to": schedule.valid_to.isoformat() if schedule.valid_to else None, "source": schedule.source,
            }
            for market, schedule in _fee_schedules(as_of)
        ],
        "versions": versions(),
        **_outputs(made.out),
    }  # fmt: skip


def _outputs(out: Path) -> dict[str, dict[str, Any]]:
    """SHA-256 and size of every file written so far."""
    found = {path.name: file_digest(path) for path in sorted(out.iterdir())}
    return {
        "outputs": {name: digest for name, (_, digest) in found.items()},
        "output_bytes": {name: size for name, (size, _) in found.items()},
    }


def _keys_of(run: Path | None) -> set[tuple[str, str]]:
    """The products of a run's list; empty where there is no run."""
    if run is None:
        return set()
    table = read_parquet(run / "shortlist.parquet", ["marketplace", "product_id"])
    return set(zip(table["marketplace"].to_pylist(), table["product_id"].to_pylist(), strict=True))


def _warnings(made: RunTables, plan: Plan) -> list[str]:
    """Warnings about files and exchange rates."""
    entries = made.entries
    empty = [e for e in entries if not e["rows"] and not e["set_aside"] and e["table"] in DUMP_TABLES]
    return [
        *(f"{e['file']}: {text}" for e in entries for text in e["warnings"] if text != "no rows"),
        *rate_warnings([answer.rates for answer in made.decided], plan),
        *(f"{e['file']}: a header without rows" for e in empty),
    ]


def _fee_schedules(as_of: dt.date) -> list[tuple[str, FeeSchedule]]:
    """The fee schedule of each marketplace that is in force on a day, by marketplace."""
    configs = load_configs()
    return sorted(schedules_in_force(parse_schedules(configs.fee_tables, configs.digits), as_of).items())


def watch_returns(manifest: dict[str, Any], models: FittedModels, decided: Sequence[DecideAnswer]) -> None:
    """Compare the orders that became mature since the return model was fitted with its predictions; add a warning on drift."""
    if models.returns is None:
        return
    manifest["fresh_returns"] = fresh = added_up(answer.fresh_returns for answer in decided)
    card = models.cards["returns"]
    checked = (card.get("later_orders") or {}).get("scores", {}).get("observed_over_predicted")
    warning = drift_warning(fresh, card["data"]["to"], checked)
    manifest["warnings"] = [*manifest["warnings"], *([warning] if warning else [])]


def earlier_shapes(data: DataFolder, inputs: Inputs) -> list[dict[str, Any]]:
    """Shapes of the weeks that this week is compared with, newest last."""
    held = [data.manifest(week) or {} for week, _ in inputs.ground.compared]
    return [manifest["shape"] for manifest in held if "shape" in manifest]


def compare(manifest: dict[str, Any], earlier: Sequence[dict[str, Any]], out: Path, plan: Plan, *, is_strict: bool) -> None:
    """Add the week's shape and all doubts to the manifest; raises `DoubtError` for a doubt in a strict run."""
    shape = shape_of(manifest["inputs"], manifest["verdicts"], out / "decisions.parquet")
    listed = manifest["verdicts"]["shortlisted"]
    last = listed - manifest["new"] + manifest["gone"]
    found = doubts(shape, earlier, (listed, last, listed - manifest["new"]), plan.guards)
    if found and is_strict:
        raise DoubtError(f"{'; '.join(doubt.text for doubt in found)}; look at the dump, then run again without --strict if it is right")
    manifest |= {"shape": shape, "doubts": plain(found)}
    manifest["warnings"] = [*manifest["warnings"], *(f"unlike the last {len(earlier)} weeks: {doubt.text}" for doubt in found)]
