"""`make evaluate`: figures on real data, where it lies beside the repository (`../shared/data`); says so where it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def main() -> None:
    """Run each evaluation on its folder."""
    if not DATA.is_dir():
        print("no real data beside the repository (../shared/data): nothing to evaluate")
        return
    print("== categories and brands", flush=True)
    subprocess.run([sys.executable, "-m", "benchmarks.categories", str(DATA / "category_truth"), str(DATA / "google_taxonomy")], check=True)


if __name__ == "__main__":
    main()
