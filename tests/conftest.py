"""What every test may use: a steady Hypothesis, the real files beside the repository, the helpers of `tools/`."""

from __future__ import annotations

import csv
import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

# No deadline: a slow machine is no bug. In CI the same examples every time, so that a red build is red again tomorrow.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's own folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real exports, kept beside the repository and not in it; a test that wants them is skipped where they are not."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real files are not here: ../shared/data beside the repository is missing")
    return folder


@pytest.fixture
def make_dump(tmp_path):
    """Write the example of `docs/formulas.md` as a dump folder named by its week, with changes to the candidate or to its offers."""

    def make(week="2026-W47", candidate=None, offer=None, suppliers=2, more=None):
        row = {
            "product_id": "B0EXAMPLE1", "title": "Bamboo drawer organizer, set of 4", "brand": "Generic", "currency": "USD",
            "category_path": "Home & Kitchen > Storage & Organization > Drawer Organizers", "price": "29.99", "sold_orders": "60",
            "returned_orders": "2", "monthly_sold": "300", "package_weight_g": "400", "is_hazmat": "",
        } | (candidate or {})  # fmt: skip
        sunday = dt.date.fromisocalendar(int(week[:4]), int(week[6:]), 7)
        weeks = [sunday - dt.timedelta(days=6 + 7 * back) for back in range(26)]
        history = [
            {"product_id": row["product_id"], "date": day.isoformat(), "price": row["price"] or "29.99", "currency": "USD"} for day in weeks
        ]
        terms = {
            "unit_cost": "7.00", "currency": "USD", "freight": "3.00", "freight_to": "buyer", "duty_included": "yes", "ship_from": "US",
            "platform": "cj", "handling_days_max": "1", "supplier_contact": "ann", "has_tracking": "yes", "accepts_returns": "yes",
            "return_days": "30", "quoted_at": (sunday - dt.timedelta(days=4)).isoformat(),
        } | (offer or {})  # fmt: skip
        offers = []
        for place in range(suppliers):
            dearer = "7.40" if place and "unit_cost" not in (offer or {}) else terms["unit_cost"]
            offers.append({"supplier_id": f"S{place + 1}", "product_id": row["product_id"]} | terms | {"unit_cost": dearer})
        tables = {"candidates": [row], "price_history": history, "offers": offers} | (more or {})
        folder = tmp_path / "dumps" / week
        folder.mkdir(parents=True)
        for name, rows in tables.items():
            if rows:
                write_csv(folder / f"{name}.csv", rows)
        return folder

    return make


def write_csv(path, rows):
    """Rows of equal keys as a CSV file with LF line ends."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def run(tmp_path):
    """Run a week in this process into `tmp_path/data`; a plan may be given as TOML text."""
    from pipeline.run import Options, run_week

    def run_one(dump, plan=None, **options):
        if plan is not None:
            path = tmp_path / "plan.toml"
            path.write_text(plan, encoding="utf-8")
            options["plan"] = path
        return run_week(Options(**{"data": tmp_path / "data", "dump": dump} | options))

    return run_one


@pytest.fixture
def command(tmp_path):
    """Run the `shortlist` command as a process of its own; stdout and stderr as text."""

    def call(*arguments, cwd=None, env=None, timeout=120):
        words = [sys.executable, "-m", "pipeline", *map(str, arguments)]
        return subprocess.run(
            words, capture_output=True, text=True, cwd=cwd or ROOT, env=os.environ | (env or {}), timeout=timeout, check=False
        )

    return call
