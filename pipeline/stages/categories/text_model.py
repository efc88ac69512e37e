"""The text model for listings without a known category: the department of a path or a title, with a probability.

A text is the mean of its words and pairs of words, a word the mean of its letter groups, each put into one of `slots` by a stable
hash. So a word's share in the score depends on the word alone: it is worked out once per unlike word, and every score names the word
that speaks most for it. Trained by `category_training`; a model is numbers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from scipy import sparse

from pipeline.stages.text.features import letter_groups, numbers, pieces

MODEL_DEPARTMENTS = ("other", "apparel", "electronics", "food")
Share = Annotated[float, Field(ge=0, le=1)]


def slot_matrix(words: Sequence[str], slots: int) -> sparse.csr_matrix:
    """How often each unlike word's letter groups fall into each slot."""
    # Imported here: a run without a model must not wait for scikit-learn.
    from sklearn.feature_extraction.text import HashingVectorizer

    hashed = HashingVectorizer(analyzer=letter_groups, n_features=slots, norm=None, alternate_sign=False, dtype=np.float64)
    return hashed.transform(words) if len(words) else sparse.csr_matrix((0, slots))


def word_matrix(slotted: sparse.csr_matrix, rarity: np.ndarray) -> sparse.csr_matrix:
    """The same with each slot weighed by its rarity, as rows of unit length."""
    weighed = sparse.csr_matrix(slotted @ sparse.diags(rarity))
    lengths = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags(1.0 / np.maximum(lengths, 1e-12)) @ weighed)


def count_matrix(texts: Sequence[str]) -> tuple[sparse.csr_matrix, list[str]]:
    """Texts over their unlike pieces, each row divided by the root of how many pieces it has; and the pieces."""
    seen: dict[str, int] = {}
    columns: list[int] = []
    ends = [0]
    for text in texts:
        columns += [seen.setdefault(piece, len(seen)) for piece in pieces(text)]
        ends.append(len(columns))
    lengths = np.diff(ends)
    weights = np.repeat(1.0 / np.sqrt(np.maximum(lengths, 1)), lengths)
    shape = (len(texts), len(seen))
    return sparse.csr_matrix((weights, np.array(columns, dtype=np.int64), np.array(ends)), shape=shape), list(seen)


@dataclass(frozen=True)
class Scored:
    """Of n texts: the probability that it is restricted, the likeliest restricted department, the word or pair that speaks most for
    it (empty: none), and whether the model knows any of its words."""

    probability: np.ndarray
    department: np.ndarray
    word: np.ndarray
    is_known: np.ndarray


class CategoryModel(BaseModel):
    """A fitted model: weights of each slot per department, their calibration, and the limits found out of sample."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    slots: Annotated[int, Field(ge=1024, le=1 << 20)]
    weights: str  # base64 of little-endian float32, shape (departments, slots)
    rarity: str  # the same of shape (slots,): the log of how seldom a slot is filled
    intercepts: tuple[float, float, float, float]
    slope: Annotated[float, Field(gt=0)]
    shift: float
    title_pass_below: Share
    path_pass_below: Share
    reject_above: Share

    @field_validator("weights", "rarity")
    @classmethod
    def _numbers(cls, text: str) -> str:
        if not np.isfinite(numbers(text)).all():
            raise ValueError("a weight is no number")
        return text

    @model_validator(mode="after")
    def _filled(self) -> CategoryModel:
        if len(numbers(self.weights)) != len(MODEL_DEPARTMENTS) * self.slots or len(numbers(self.rarity)) != self.slots:
            raise ValueError("the weights do not fill their slots")
        return self

    @cached_property
    def _table(self) -> np.ndarray:
        return numbers(self.weights).reshape(len(MODEL_DEPARTMENTS), self.slots)

    @cached_property
    def _rarity(self) -> np.ndarray:
        return numbers(self.rarity)

    def word_scores(self, words: Sequence[str]) -> np.ndarray:
        """What each piece of a text adds per department, shape (n, 4)."""
        return np.asarray(word_matrix(slot_matrix(words, self.slots), self._rarity) @ self._table.T)

    def score(self, texts: Sequence[str]) -> Scored:
        """Probabilities of n texts; one without any word that the model has seen is unknown, whatever its probability."""
        counts, words = count_matrix(texts)
        of_word = self.word_scores(words)
        seen = np.abs(of_word).sum(axis=1) > 1e-9
        sums = np.asarray(counts @ of_word) + np.array(self.intercepts)
        margin = sums[:, 1:].max(axis=1, initial=-np.inf) - sums[:, 0]
        probability = 1.0 / (1.0 + np.exp(-np.clip(self.slope * margin + self.shift, -50, 50)))
        place = 1 + sums[:, 1:].argmax(axis=1)
        word = np.full(len(texts), "", dtype=object)
        if len(counts.indices):
            rows = np.repeat(np.arange(len(texts)), np.diff(counts.indptr))
            gain = of_word[counts.indices, place[rows]] - of_word[counts.indices, 0]
            order = np.lexsort((counts.indices, -gain, rows))  # of equal gains the piece that stands first
            best = order[np.unique(rows[order], return_index=True)[1]]
            speaks = best[gain[best] > 0]
            word[rows[speaks]] = np.array(words, dtype=object)[counts.indices[speaks]]
        return Scored(probability, np.array(MODEL_DEPARTMENTS, dtype=object)[place], word, np.asarray(counts @ seen.astype(np.float64)) > 0)
