"""What `train --categories` learns from: label files, and the seller's own category decisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import NothingToDo
from pipeline.training.categories import CategoryOptions, train_categories

HEADER = "product_id,decision,decided_on,title,category_path\n"


def labels(folder: Path) -> Path:
    path = folder / "labels.csv"
    rows = [f"zabuki number {n},food\ngrolint number {n},other\n" for n in range(30)]
    path.write_text("title,department\n" + "".join(rows), "utf-8")
    return path


def learned(folder: Path, *decisions: str) -> dict[str, int]:
    (folder / "decisions.csv").write_text(HEADER + "".join(f"{line}\n" for line in decisions), "utf-8")
    trained = train_categories(CategoryOptions(folder, (labels(folder),), (), dry_run=True))
    counts = trained.card["labels"]
    return {name: counts[name] - (30 if name in ("food", "other") else 0) for name in counts if name != "powered"}


NOTHING = {"other": 0, "apparel": 0, "electronics": 0, "food": 0}


@pytest.mark.parametrize(
    ("decision", "label"),
    [
        ("B1,category_pass,2026-11-01,Oak tray,", "other"),
        ("B1,category_pass,2026-11-01,Oak tray,Home & Kitchen > Trays", "other"),
        ("B1,category_reject,2026-11-01,Bluetooth lamp,", "electronics"),
        ("B1,category_reject,2026-11-01,Oak tray,Grocery & Gourmet Food > Snacks", "food"),
    ],
)
def test_a_decision_with_a_title_is_a_label(tmp_path: Path, decision: str, label: str) -> None:
    assert learned(tmp_path, decision) == NOTHING | {label: 1}


@pytest.mark.parametrize(
    "decision",
    [
        "B1,category_pass,2026-11-01,,",  # nothing to read
        "B1,category_pass,2026-11-01,Oak tray,Electronics > Audio",  # the seller may sell it; it is electronics all the same
        "B1,category_reject,2026-11-01,Oak tray,",  # why, it does not tell
        "B1,category_reject,2026-11-01,Bluetooth chocolate,",  # for one of two reasons
        "B1,skip,2026-11-01,Oak tray,",
    ],
)
def test_a_decision_that_does_not_tell_the_department_teaches_nothing(tmp_path: Path, decision: str) -> None:
    assert learned(tmp_path, decision) == NOTHING


def test_the_card_names_the_decisions_only_when_they_taught_something(tmp_path: Path) -> None:
    learned(tmp_path, "B1,skip,,,")
    trained = train_categories(CategoryOptions(tmp_path, (labels(tmp_path),), (), dry_run=True))
    assert set(trained.card["files"]) == {"labels.csv"}
    (tmp_path / "decisions.csv").write_text(HEADER + "B1,category_pass,,Oak tray,\n", "utf-8")
    trained = train_categories(CategoryOptions(tmp_path, (labels(tmp_path),), (), dry_run=True))
    assert set(trained.card["files"]) == {"labels.csv", "decisions.csv"}


def test_decisions_of_one_department_alone_are_too_little(tmp_path: Path) -> None:
    (tmp_path / "decisions.csv").write_text(HEADER + "B1,category_pass,,Oak tray,\n", "utf-8")
    with pytest.raises(NothingToDo, match="too little to learn from"):
        train_categories(CategoryOptions(tmp_path))
