"""Hold the category gate against labelled listings: python benchmarks/categories.py FOLDER [TAXONOMY_FOLDER] [-LOCALE].

FOLDER holds CSV files with the columns title, category_path, brand, cls, expected, allowed, stratum; TAXONOMY_FOLDER the Google
product taxonomy as `taxonomy-with-ids.LOCALE.txt`; -LOCALE lists the disagreements of one.
Targets: docs/categories.md.
"""

from __future__ import annotations

import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import pandas as pd

from pipeline.stages.categories.gate import CategoryPolicy, CategoryRules, classify, compile_rules

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "categories"
RESTRICTED = ("E_", "F_", "A_")
FOOD_ID, ELECTRONICS_IDS, APPAREL_ID = 412, (222, 141), 166


def load_rules() -> CategoryRules:
    return compile_rules({path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(CONFIG.glob("*.toml"))})


def read_truth(folder: Path) -> pd.DataFrame:
    frames = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in sorted(folder.glob("*.csv"))]
    return pd.concat(frames, ignore_index=True)


def share(part: pd.Series) -> str:
    return f"{part.mean():.3f}" if len(part) else "  -  "


def measure(rows: pd.DataFrame, wanted: dict[str, str]) -> None:
    restricted = rows[rows["cls"].str.startswith(RESTRICTED)]
    must = rows[rows["allowed"] == "reject"]
    clean = rows[rows["cls"] == "O"]
    figures = {
        "restricted not passed": (len(restricted), share(restricted["category_verdict"] != "pass")),
        "must-reject rejected": (len(must), share(must["category_verdict"] == "reject")),
        "clean rejected": (len(clean), share(clean["category_verdict"] == "reject")),
        "clean reviewed": (len(clean), share(clean["category_verdict"] == "review")),
        "verdict inside allowed": (len(rows), share(rows["is_allowed"])),
        "verdict as expected": (len(rows), share(rows["category_verdict"] == rows["expected"])),
    }
    for name, (count, value) in figures.items():
        print(f"    {name:24} {value}  of {count:5}  target {wanted.get(name, '-')}")


TARGETS = {
    "known_root": {
        "restricted not passed": ">= .99",
        "must-reject rejected": ">= .985",
        "clean rejected": "<= .015",
        "clean reviewed": "<= .07",
        "verdict inside allowed": ">= .96",
    },
    "unknown_root": {"restricted not passed": "1.000"},
    "none": {"restricted not passed": ">= .98", "clean reviewed": "<= .45 with a title model"},
}


def judge_truth(folder: Path, rules: CategoryRules) -> None:
    truth = read_truth(folder)
    for title, policy in (
        ("default policy", CategoryPolicy()),
        ("no_category = pass", replace(CategoryPolicy(), no_category="pass")),
    ):
        got = classify(truth[["title", "brand", "category_path"]], rules, policy)
        rows = pd.concat([truth.drop(columns="brand_state"), got], axis=1)
        rows["is_allowed"] = [v in a.split("|") for v, a in zip(rows["category_verdict"], rows["allowed"], strict=True)]
        print(f"\n{title}")
        for stratum, part in rows.groupby("stratum"):
            print(f"  {stratum} ({len(part)} rows)")
            measure(part, TARGETS.get(str(stratum), {}))
        # By default whatever has no known root is reviewed: only the known roots can be wrong in an interesting way.
        wrong = rows[~rows["is_allowed"] & ((policy.no_category == "pass") ^ (rows["stratum"] == "known_root"))]
        for row in wrong.to_dict("records"):
            print(f"    {row['stratum']:12} {row['cls']:7} {row['category_verdict']:6} not {row['allowed']:14}", end=" ")
            print(f"{row['category_path'][-60:]:60} | {row['title'][:60]}")
            print(f"        {row['category_reason']}")


def judge_taxonomy(folder: Path, rules: CategoryRules) -> None:
    by_id: dict[int, str] = {}
    for path in sorted(folder.glob("taxonomy-with-ids.*.txt"), key=lambda p: "en-US" not in p.name):
        lines = [line.split(" - ", 1) for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
        texts = {int(number): text for number, text in lines}
        roots = {text: number for number, text in texts.items() if " > " not in text}
        truth = {number: roots[text.split(" > ")[0]] for number, text in texts.items()}
        by_id = by_id or texts
        frame = pd.DataFrame({"title": "", "brand": "Generic", "category_path": list(texts.values())}, index=list(texts))
        got = classify(frame, rules, CategoryPolicy())
        kinds = [("apparel", (APPAREL_ID,)), ("electronics", ELECTRONICS_IDS), ("food", (FOOD_ID,))]
        print(f"  {path.name.split('.')[1]}", end="")
        for department, ids in kinds:
            is_true = pd.Series([truth[n] in ids for n in texts], index=list(texts))
            is_said = got["department"] == department
            hit = (is_true & is_said).sum()
            print(f"   {department} recall {hit / is_true.sum():.3f} precision {hit / max(is_said.sum(), 1):.3f}", end="")
            if any(argument.startswith("-") and argument[1:] in path.name for argument in sys.argv[1:]):
                for number in is_said.index[is_said != is_true]:
                    print(f"\n      {'missed' if is_true[number] else 'extra'} {department}: {texts[number]}", end="")
        print()


def main() -> None:
    rules = load_rules()
    folders = [Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")]
    if not folders:
        raise SystemExit(__doc__)
    judge_truth(folders[0], rules)
    if len(folders) > 1:
        print("\nGoogle taxonomy by id (extra: also what stands elsewhere by design, e.g. baby food, dive computers)")
        judge_taxonomy(folders[1], rules)
    truth = read_truth(folders[0])
    many = truth.sample(200_000, replace=True, random_state=1).reset_index(drop=True)
    many["title"] = many["title"] + " " + many.index.astype(str)
    begin = time.perf_counter()
    classify(many, rules, CategoryPolicy())
    seconds = time.perf_counter() - begin
    print(f"\nspeed: {len(many) / seconds:,.0f} rows/s, {seconds * 1e6 / len(many):.1f} s for a million")


if __name__ == "__main__":
    main()
