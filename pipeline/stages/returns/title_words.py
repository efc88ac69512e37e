"""The effect of title words on the return rate: a shift of the prior mean on the logit, from hashed words and plain numbers.

Each word falls into one of `slots` by a stable hash; a title is the set of its slots, as a row of unit length, so that a long title
moves no further than a short one. Learnt by `return_title_training`, and part of a return model only where it won there.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from scipy import sparse

from pipeline.stages.text.features import as_text, letter_groups, numbers
from pipeline.stages.text.phrases import CJK_RUN, singulars, words_of

SLOTS = 1 << 12
SHIFT_MAX = 2.0  # a title alone never multiplies the odds by more than seven
_WORDS_MAX = 40
_ROWS_AT_ONCE = 100_000  # bounds memory: about 12 slots a title


def title_words(title: str) -> list[str]:
    """Words of a title in the singular, Chinese and Japanese runs in groups of letters; at most 40 words are read."""
    found: list[str] = []
    for word in singulars(words_of(title)[:_WORDS_MAX]):
        found += letter_groups(word) if CJK_RUN.match(word) else [word]
    return found


def title_matrix(titles: np.ndarray, slots: int = SLOTS) -> sparse.csr_matrix:
    """Titles (objects, None where unknown) as rows of unit length over the slots; an unknown or wordless one is empty."""
    # Imported here: a run whose model holds no titles must not wait for scikit-learn.
    from sklearn.feature_extraction.text import HashingVectorizer

    hashed = HashingVectorizer(analyzer=title_words, n_features=slots, norm="l2", binary=True, alternate_sign=False, dtype=np.float64)
    return sparse.csr_matrix(hashed.transform(["" if title is None else title for title in titles]))


class TitleModel(BaseModel):
    """Learnt weights: `weights` is base64 of little-endian float32, shape (slots,); `centre` the mean shift of what it was fitted to."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    slots: Annotated[int, Field(ge=2, le=1 << 20)]
    weights: str
    centre: float

    @field_validator("weights")
    @classmethod
    def _finite(cls, reported: str) -> str:
        if not np.isfinite(numbers(reported)).all():
            raise ValueError("holds a number that is not finite")
        return reported

    @model_validator(mode="after")
    def _as_many_as_slots(self) -> TitleModel:
        if len(numbers(self.weights)) != self.slots:
            raise ValueError("has not as many weights as slots")
        return self

    @classmethod
    def of(cls, weights: np.ndarray, centre: float) -> TitleModel:
        """The model of these weights, rounded as its file holds them."""
        return cls(slots=len(weights), weights=as_text(weights), centre=centre)

    @cached_property
    def values(self) -> np.ndarray:
        """The weights, float64, shape (slots,)."""
        return numbers(self.weights)

    def shift(self, titles: np.ndarray) -> np.ndarray:
        """How far each title moves the prior mean on the logit, shape (n,), at most 2 either way; 0 where there is no title."""
        parts = [self.shift_of(title_matrix(titles[at : at + _ROWS_AT_ONCE], self.slots)) for at in range(0, len(titles), _ROWS_AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def shift_of(self, matrix: sparse.csr_matrix) -> np.ndarray:
        """The same of rows that `title_matrix` gives."""
        reported = np.clip(matrix @ self.values - self.centre, -SHIFT_MAX, SHIFT_MAX)
        return np.where(np.diff(matrix.indptr) > 0, reported, 0.0)
