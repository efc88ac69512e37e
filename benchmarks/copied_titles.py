"""Does the spec table of the category gate hold a title of somebody else's data? python -m benchmarks.copied_titles FOLDER

FOLDER holds CSV files with a column named title, Title, Description or name; titles of at most two words are nobody's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from pipeline.stages.text.phrases import words_of

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("title", "Title", "Description", "name")


def main() -> int:
    """Print each title that stands in both, word for word; exit 1 if there is one."""
    own = pd.read_csv(ROOT / "tests" / "spec" / "categories.csv", sep="|", dtype=str, keep_default_na=False)["title"]
    ours = {tuple(words_of(title)): title for title in own if len(words_of(title)) > 2}
    found = set()
    for path in sorted(Path(sys.argv[1]).rglob("*.csv")):
        try:
            frame = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=lambda name: name in COLUMNS)
        except (ValueError, UnicodeDecodeError):
            continue  # broken on purpose: the readers' own tests
        for column in frame.columns:
            found |= {words for words in map(tuple, map(words_of, frame[column].unique())) if words in ours}
    for words in sorted(found):
        print(ours[words])
    print(f"{len(ours)} titles, {len(found)} of them in {sys.argv[1]}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
