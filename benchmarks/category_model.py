"""The text model with one source left out at a time, through the gate: python -m benchmarks.category_model TRUTH_FOLDER TAXONOMY_FOLDER

For each source of the labelled listings: fitted on the taxonomies and on every other source, judged on the rows without their category
(titles alone) and as they are. Foreign trees: tests/spec/foreign_trees.csv, invented, judged by their paths alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from benchmarks.categories import RESTRICTED, load_rules, read_truth, share
from pipeline.config.files import CONFIGS, read_toml
from pipeline.ingest.labelled_listings import read_taxonomy
from pipeline.stages.categories.gate import CategoryPolicy, classify
from pipeline.stages.categories.paths import PathReader
from pipeline.stages.categories.text_model import MODEL_DEPARTMENTS
from pipeline.stages.categories.title_scan import TitleScanner
from pipeline.training.category_fit import Labelled, branches, fit_categories, merge

TREES = CONFIGS.parent / "tests" / "spec" / "foreign_trees.csv"
OF_CLASS = {"E": "electronics", "F": "food", "A": "apparel"}


def main() -> None:
    """Print the table; minutes on two cores."""
    rules, truth = load_rules(), read_truth(Path(sys.argv[1]))
    scanner, reader = TitleScanner(rules.lexicon, rules.brands), PathReader(rules)
    known = read_toml(CONFIGS / "taxonomy.toml")["branch"]

    def stops(path: str) -> bool:
        return reader.read(f"Foreign tree > {path}").department in MODEL_DEPARTMENTS[1:]

    parts = []
    for path in sorted(Path(sys.argv[2]).glob("*.txt")):
        kind, rows = read_taxonomy(path)
        parts.append(branches(known, rows, kind, stops))
    taxonomy = merge(*parts)

    def titles(rows: pd.DataFrame) -> Labelled:
        labels = tuple(OF_CLASS.get(name[0], "other") for name in rows["cls"])
        texts = tuple(rows["title"])
        return Labelled(texts, labels, tuple(rows["source"]), (False,) * len(rows), scanner.catches(texts))

    trees = pd.read_csv(TREES, sep="|", dtype=str, keep_default_na=False)
    trees = pd.DataFrame(
        {"title": "", "brand": "", "category_path": trees["path"], "cls": trees["restricted"].map(lambda d: "F_" if d else "O")}
    )
    for source in sorted(truth["source"].unique()):
        inside = truth["source"] != source
        model, card = fit_categories(merge(taxonomy, titles(truth[inside])))
        limits = ", ".join(f"{name} {card[name]}" for name in ("title_pass_below", "path_pass_below", "reject_above"))
        print(f"without {source}: {limits}", flush=True)
        held = truth[~inside]
        for name, rows in (("as they are", held), ("no category", held.assign(category_path="")), ("foreign trees", trees)):
            verdict = classify(rows[["title", "brand", "category_path"]], rules, CategoryPolicy(), model)["category_verdict"]
            restricted, clean = rows["cls"].str.startswith(RESTRICTED), rows["cls"] == "O"
            print(
                f"  {name:14} restricted {restricted.sum():4} not passed {share(verdict[restricted] != 'pass')}   clean {clean.sum():4} "
                f"rejected {share(verdict[clean] == 'reject')} reviewed {share(verdict[clean] == 'review')}",
                flush=True,
            )


if __name__ == "__main__":
    main()
