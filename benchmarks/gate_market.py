"""The gate's speed on a million invented listings, 60,000 unlike paths among them: python -m benchmarks.gate_market [ROWS] [ROUNDS]

In turn: every category known, no model; and a quarter of the rows without one that tells anything (half blank, half foreign trees), judged
by a text model. The model is fitted to the rule files' own words: its speed does not depend on what it learned.
"""

from __future__ import annotations

import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.files import load_configs
from pipeline.stages.categories.gate import CategoryPolicy, classify, compile_rules
from pipeline.stages.categories.text_model import CategoryModel
from pipeline.training.category_fit import Labelled, fit_categories

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "categories"
# Harmless words of listings; the model numbers below make every title unlike all others.
PLAIN = [
    "bamboo",
    "wooden",
    "drawer",
    "organizer",
    "set",
    "large",
    "small",
    "garden",
    "kitchen",
    "bathroom",
    "storage",
    "basket",
    "hanging",
    "wall",
    "mounted",
    "steel",
    "round",
    "square",
    "black",
    "white",
    "grey",
    "green",
    "foldable",
    "adjustable",
    "heavy",
    "duty",
    "premium",
    "gift",
    "for",
    "women",
    "men",
    "kids",
    "home",
    "office",
    "outdoor",
    "travel",
    "camping",
    "family",
    "reusable",
    "silicone",
    "glass",
    "ceramic",
    "linen",
    "natural",
    "handmade",
    "modern",
    "vintage",
    "decorative",
    "pack",
    "of",
    "pieces",
    "inch",
    "with",
    "lid",
    "handle",
    "waterproof",
    "washable",
    "soft",
]


def market(rows: int, paths: int = 60_000, seed: int = 7) -> pd.DataFrame:
    """`title`, `brand`, `category_path` of so many invented listings; about one in five titles holds a word of the rule files."""
    dice = np.random.default_rng(seed)
    words = tomllib.loads((CONFIG / "title_words.toml").read_text("utf-8"))
    restricted = [word for name in ("electronics", "apparel", "food", "powered") for word in words[name]["hard"] + words[name]["soft"]]
    roots = [name for root in tomllib.loads((CONFIG / "roots.toml").read_text("utf-8"))["root"] for name in root.get("official", [])]
    plain = np.array(PLAIN, dtype=object)
    picked = plain[dice.integers(0, len(plain), (rows, 13))]
    spiced = dice.random(rows) < 0.2
    picked[spiced, 3] = np.array(restricted, dtype=object)[dice.integers(0, len(restricted), int(spiced.sum()))]
    picked[:, 12] = [f"model {number}" for number in range(rows)]
    titles = [" ".join(row) for row in picked.tolist()]
    segments = plain[dice.integers(0, len(plain), (paths, 3))].tolist()
    trees = [f"{roots[i % len(roots)]} > {' '.join(s).title()} {i % 997} > {s[0].title()} {i}" for i, s in enumerate(segments)]
    brands = np.array(["", "Generic", "Nike", *(f"Brandlet {n}" for n in range(3000))], dtype=object)
    return pd.DataFrame(
        {
            "title": titles,
            "brand": brands[dice.integers(0, len(brands), rows)],
            "category_path": np.array(trees, dtype=object)[dice.integers(0, paths, rows)],
        }
    )


def without_category(listings: pd.DataFrame, share: float = 0.25, seed: int = 8) -> pd.DataFrame:
    """The same listings, of which such a share tells nothing by its category: half are blank, half stand in foreign trees."""
    dice = np.random.default_rng(seed)
    paths = listings["category_path"].to_numpy(dtype=object).copy()
    rows = np.flatnonzero(dice.random(len(listings)) < share)
    names = [f"Warengruppe {number} > {first.title()} > {second.title()}" for number, first in enumerate(PLAIN) for second in PLAIN]
    paths[rows] = np.where(np.arange(len(rows)) % 2 == 0, "", np.array(names, dtype=object)[dice.integers(0, len(names), len(rows))])
    return listings.assign(category_path=paths)


def small_model() -> CategoryModel:
    """A text model of the words in `title_words.toml` and the harmless words above."""
    words = tomllib.loads((CONFIG / "title_words.toml").read_text("utf-8"))
    texts, labels = [*PLAIN], ["other"] * len(PLAIN)
    for department in ("electronics", "apparel", "food"):
        texts += words[department]["hard"]
        labels += [department] * len(words[department]["hard"])
    sources = tuple(f"part {place % 3}" for place in range(len(texts)))
    return fit_categories(Labelled(tuple(texts), tuple(labels), sources, (False,) * len(texts), (False,) * len(texts)))[0]


def main() -> None:
    """Print seconds of work (not of waiting) for the rows asked for, in turn without and with the model."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    rules, model = compile_rules(load_configs().category_tables), small_model()
    known = market(rows)
    cases = (("every category known", known, None), ("a quarter without one, text model", without_category(known), model))
    for place in range(rounds):
        for name, listings, asked in cases:
            begin, worked = time.perf_counter(), time.process_time()
            verdicts = classify(listings, rules, CategoryPolicy(), asked)["category_verdict"]
            work, clock = time.process_time() - worked, time.perf_counter() - begin
            shares = ", ".join(f"{verdict} {(verdicts == verdict).mean():.2f}" for verdict in ("pass", "review", "reject"))
            print(f"round {place + 1}, {name}: {rows:,} rows, {work:.1f} s of work, {clock:.1f} s by the clock ({shares})", flush=True)


if __name__ == "__main__":
    main()
