"""The way to a category verdict: rules, the text model's opinion with its limits, and the seller's own decision."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pipeline.stages.categories.gate import CategoryPolicy, compile_rules
from pipeline.stages.categories.text_model import CategoryModel
from pipeline.stages.categories.trace import trail
from pipeline.training.category_fit import Labelled, fit_categories

FOLDER = Path(__file__).resolve().parents[4] / "configs" / "categories"
RULES = compile_rules({path.stem: tomllib.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.toml")})


@pytest.fixture(scope="module")
def model() -> CategoryModel:
    texts = tuple(f"{word} piece {place}" for place in range(180) for word in ("zabuki", "grolint"))
    return fit_categories(
        Labelled(texts, ("food", "other") * 180, tuple(f"shop {n // 2 % 3}" for n in range(360)), (False,) * 360, (False,) * 360)
    )[0]


def told(cells: tuple[str, str, str], model: CategoryModel | None = None, reason: str = "") -> list[str]:
    return trail(cells, RULES, CategoryPolicy(), model, reason)


def test_a_known_category_is_told_segment_by_segment_and_no_model_is_asked(model: CategoryModel) -> None:
    lines = told(("Tray with lid", "Generic", "Home & Kitchen > Food Storage"), model)
    assert 'path: root "Home & Kitchen" is HomeAndKitchen' in lines
    assert "finding: none, so it passes" in lines
    assert not [line for line in lines if line.startswith(("model:", "override:"))]


def test_without_a_category_the_models_opinion_stands_there_with_its_limits(model: CategoryModel) -> None:
    lines = [line for line in told(("zabuki zabuki", "", ""), model) if line.startswith("model:")]
    assert lines[0].startswith("model: reads the title: food with probability 1.00") and 'mostly by "zabuki' in lines[0]
    assert lines[1] == f"model: so it is restricted (clear below {model.title_pass_below}, restricted from {model.reject_above} on)"
    assert told(("zabuki zabuki", "", ""), model)[-1].startswith("finding: rejected: food, says the text model of the title")


def test_of_a_foreign_tree_the_model_reads_the_path(model: CategoryModel) -> None:
    lines = told(("grolint", "", "Warengruppe > zabuki"), model)
    assert [line for line in lines if line.startswith("model: reads the path")]


def test_without_a_model_it_says_so() -> None:
    assert "model: none was trained, so a category that tells nothing leaves the row to you" in told(("zabuki", "", ""))


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (
            "pass: you let it pass, by your decision of 2026-11-01 (the rules say: review: there is no category)",
            "override: pass: you let it pass, by your decision of 2026-11-01",
        ),
        (
            "review: there is no category (your decision of 2026-11-01 has expired, since the title changed)",
            "override: your decision of 2026-11-01 has expired, since the title changed",
        ),
    ],
)
def test_the_sellers_decision_is_the_last_line(reason: str, line: str) -> None:
    assert told(("Tray", "", ""), None, reason)[-1] == line


def test_a_maker_speaks_where_the_category_tells_nothing() -> None:
    assert "finding: review: Garmin makes electronics, and no category tells more" in told(("Part 010-11", "Garmin", ""))
    assert not [line for line in told(("Part 010-11", "Garmin", "Home & Kitchen > Trays")) if "makes electronics" in line]
