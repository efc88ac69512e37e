"""What every test may use: a steady Hypothesis, the real files that `SHORTLIST_TEST_DATA` names, the helpers of `tools/`."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import io
import os
import signal
import subprocess
import sys
import traceback
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
def real_data() -> Path:
    """The folder of real exports that `SHORTLIST_TEST_DATA` names (tests/README.md); a test that needs it is skipped without one."""
    named = os.environ.get("SHORTLIST_TEST_DATA")
    if not named:
        pytest.skip("needs real files: SHORTLIST_TEST_DATA names no folder (tests/README.md)")
    folder = Path(named).resolve()
    if not folder.is_dir():
        pytest.fail(f"SHORTLIST_TEST_DATA={named}: no folder; name one, or unset it")
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
    from pipeline.runs.week_run import Options, run_week

    def run_one(dump, plan=None, **options):
        if plan is not None:
            path = tmp_path / "plan.toml"
            path.write_text(plan, encoding="utf-8")
            options["plan"] = path
        return run_week(Options(**{"data": tmp_path / "data", "dump": dump} | options))

    return run_one


@pytest.fixture
def command():
    """Run the `shortlist` command as a call of its entry point; exit code, stdout and stderr as of a process of its own.

    Where the environment or the folder counts (`env`, `cwd`) it is a process: that costs a second for its imports.
    """

    def call(*arguments, cwd=None, env=None, timeout=120):
        words = [*map(str, arguments)]
        if cwd is None and env is None:
            return _called(words)
        words = [sys.executable, "-m", "pipeline", *words]
        return subprocess.run(
            words, capture_output=True, text=True, cwd=cwd or ROOT, env=os.environ | (env or {}), timeout=timeout, check=False
        )

    return call


def _called(words):
    """What a process would have ended with; its handlers of signals are taken back, and `os._exit` ends the call alone."""
    from pipeline.cli import main

    def leave(code):
        raise SystemExit(code)

    out, err, code = io.StringIO(), io.StringIO(), 0
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["shortlist", *words])
        patch.setattr(os, "_exit", leave)
        patch.chdir(ROOT)
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except Exception:  # noqa: BLE001  what Python itself does with it
            traceback.print_exc()
            code = 1
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return subprocess.CompletedProcess(["shortlist", *words], code, out.getvalue(), err.getvalue())
