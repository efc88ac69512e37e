"""Predictions of the text model for listings without a known category: from the path where there is one, else from the rest of the
title.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from pipeline.stages.categories.decision import Opinion
from pipeline.stages.categories.text_model import CategoryModel, Scored
from pipeline.tables.columns import Columns


def opinions(
    candidates: Columns,
    asked: np.ndarray,
    has_path: np.ndarray,
    rests: Callable[[Sequence[str | None]], list[str]],
    model: CategoryModel,
) -> tuple[np.ndarray, list[Opinion | None]]:
    """The model's opinion on n listings: each row's place in a list of unlike opinions, whose first is none.

    Parameters
    ----------
    candidates : DataFrame, shape (n, m)
        Reads `title` and `category_path`.
    asked, has_path : bool arrays, shape (n,)
        The rows to ask about, and whether their path is one of a foreign tree (else the title is read).
    rests : titles to what is left of them without the words of restricted lists
        So that one more such word in a title never changes the model's opinion.
    model : CategoryModel
        Trained by `shortlist train --categories`.
    """
    codes = np.zeros(len(candidates), dtype=np.int64)
    seen: dict[Opinion | None, int] = {None: 0}
    by_path, by_title = np.flatnonzero(asked & has_path), np.flatnonzero(asked & ~has_path)
    if len(by_path):
        places, texts = pd.factorize(candidates["category_path"].iloc[by_path])
        reported = _graded(model.score([str(text) for text in texts]), "path", model.path_pass_below, model.reject_above)
        codes[by_path] = np.array([seen.setdefault(one, len(seen)) for one in reported], dtype=np.int64)[places]
    if len(by_title):
        titles = candidates["title"].iloc[by_title].astype(object).tolist()
        reported = _graded(model.score(rests(titles)), "title", model.title_pass_below, model.reject_above)
        codes[by_title] = [seen.setdefault(one, len(seen)) for one in reported]
    return codes, list(seen)


def _graded(scored: Scored, source: str, pass_below: float, reject_above: float) -> list[Opinion]:
    reported = []
    for p, department, word, is_known in zip(scored.probability, scored.department, scored.word, scored.is_known, strict=True):
        # Without a word that the model has seen it has no opinion, whatever the probability.
        grade = "doubtful" if not is_known else "clear" if p < pass_below else "restricted" if p >= reject_above else "doubtful"
        shown = word if grade != "clear" else ""
        reported.append(Opinion(grade, source, str(department), f"{p:.2f}", str(shown)))
    return reported
