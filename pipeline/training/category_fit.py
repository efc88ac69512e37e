"""Training the text model: labelled texts in, a calibrated model with limits out, each figure found on sources it was not fitted on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from scipy import sparse

from pipeline.stages.categories.text_model import MODEL_DEPARTMENTS, CategoryModel, count_matrix, slot_matrix, word_matrix
from pipeline.stages.text.features import as_text

SLOTS = 1 << 17
# So many of the restricted rows must not pass, by rules and model together, on sources that the fit has not seen.
RECALL_MIN = 0.985
# For paths it is measured on names two levels deep (the usual form of a foreign tree); a little stricter, since half of such a path may
# be known.
PATH_RECALL_MIN = 0.99
PRECISION_MIN = 0.98
PASS_BELOW_MAX = 0.2  # whatever the rules stop, a row that is restricted with one chance in five does not pass
ROWS_MIN = 100  # restricted rows held out; with fewer no limit can be told, and nothing passes by the model
FOLDS_MAX = 5


@dataclass(frozen=True)
class Labelled:
    """Labelled texts: `texts`, `labels` (of `MODEL_DEPARTMENTS`), `sources` (rows of one source are held out together), `is_path`, and
    `is_caught`: the rules stop it already, so that the model need not."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    sources: tuple[str, ...]
    is_path: tuple[bool, ...]
    is_caught: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.texts)


def merge(*parts: Labelled) -> Labelled:
    """Several sets as one, in an order of their content, so that the order of files does not matter; equal rows count once."""
    rows = {row for part in parts for row in zip(part.sources, part.is_path, part.texts, part.labels, part.is_caught, strict=True)}
    columns = tuple(zip(*sorted(rows), strict=True)) if rows else ((),) * 5
    return Labelled(columns[2], columns[3], columns[0], columns[1], columns[4])


def branches(
    rules: Sequence[Mapping[str, Any]], taxonomy: Sequence[tuple[str, str]], kind: str, stops: Callable[[str], bool] = lambda path: False
) -> Labelled:
    """Labelled paths of a taxonomy (`id`, path with ` > `): each whole, without its root, its last two names, and its leaf alone.

    `rules` are the `[[branch]]` tables of `taxonomy.toml`; `kind` is google or shopify; `stops` marks what the path rules stop.
    """
    of_id = {number: str(rule["department"]) for rule in rules for number in rule.get(kind, ())}
    heads = {path: of_id[number] for number, path in taxonomy if number in of_id}
    texts: list[str] = []
    labels: list[str] = []
    folds: list[str] = []
    for number, path in taxonomy:
        segments = path.split(" > ")
        ancestors = (" > ".join(segments[:depth]) for depth in range(len(segments), 0, -1))
        label = next((heads[above] for above in ancestors if above in heads), "other")
        for text in {path, " > ".join(segments[1:]) or path, " > ".join(segments[-2:]), segments[-1]}:
            texts.append(text)
            labels.append(label)
            # Held out by id, which is the same in every language: a held-out branch is unknown in all of them.
            folds.append(f"taxonomy {kind}, part {crc32(number.encode()) % FOLDS_MAX + 1}")
    caught = tuple(label != "other" and stops(text) for text, label in zip(texts, labels, strict=True))
    return Labelled(tuple(texts), tuple(labels), tuple(folds), (True,) * len(texts), caught)


def _features(texts: Sequence[str]) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Texts over the slots, and each slot's rarity: the log of texts per text in which it is filled, estimated from the pieces."""
    counts, words = count_matrix(texts)
    slotted = slot_matrix(words, SLOTS)
    uses = np.asarray((counts > 0).sum(axis=0)).ravel()
    filled = np.minimum(np.asarray(sparse.csr_matrix((slotted > 0).T) @ uses).ravel(), len(texts))
    rarity = 1.0 + np.log((1.0 + len(texts)) / (1.0 + filled))
    rarity = rarity.astype("<f4").astype(np.float64)  # as the model keeps it
    return sparse.csr_matrix(counts @ word_matrix(slotted, rarity)), rarity


def _fit(features: sparse.csr_matrix, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import SGDClassifier

    present = sorted(set(labels.tolist()))
    fitted = SGDClassifier(loss="log_loss", alpha=1e-6, max_iter=8, tol=None, random_state=0, average=True, class_weight="balanced")
    fitted.fit(features, labels)
    weights, intercepts = np.zeros((len(MODEL_DEPARTMENTS), SLOTS)), np.full(len(MODEL_DEPARTMENTS), -10.0)
    if len(present) == 2:  # one row speaks for the second class
        rows = {present[0]: -fitted.coef_[0], present[1]: fitted.coef_[0]}
        shifts = {present[0]: -fitted.intercept_[0], present[1]: fitted.intercept_[0]}
    else:
        rows = dict(zip(present, fitted.coef_, strict=True))
        shifts = dict(zip(present, fitted.intercept_, strict=True))
    for place, name in enumerate(MODEL_DEPARTMENTS):
        if name in rows:
            weights[place], intercepts[place] = rows[name], shifts[name]
    return weights, intercepts


def _margin(features: sparse.csr_matrix, weights: np.ndarray, intercepts: np.ndarray) -> np.ndarray:
    sums = np.asarray(features @ weights.T) + intercepts
    return sums[:, 1:].max(axis=1) - sums[:, 0]


def fold_of(sources: Sequence[str]) -> np.ndarray:
    """The fold in which each row is held out: its source's, the largest sources apart."""
    names, counts = np.unique(np.array(sources, dtype=object).astype(str), return_counts=True)
    order = sorted(range(len(names)), key=lambda place: (-counts[place], names[place]))
    fold = {str(names[place]): rank % FOLDS_MAX for rank, place in enumerate(order)}
    return np.array([fold[source] for source in sources], dtype=np.int64)


def held_out_margins(labelled: Labelled, features: sparse.csr_matrix) -> np.ndarray:
    """Each row's margin from a fit that has not seen its source (of a single source: its fifth of the rows)."""
    labels = np.array(labelled.labels, dtype=object).astype(str)
    by_source = _margins_by(fold_of(labelled.sources), labels, features)
    # A source that holds nearly everything cannot be left out: then a fifth of the rows is.
    if len(set((labels[~np.isnan(by_source)] != "other").tolist())) == 2:
        return by_source
    return _margins_by(np.arange(len(labelled)) % FOLDS_MAX, labels, features)


def _margins_by(folds: np.ndarray, labels: np.ndarray, features: sparse.csr_matrix) -> np.ndarray:
    margins = np.full(len(labels), np.nan)
    for fold in np.unique(folds):
        inside = folds != fold
        if "other" not in labels[inside] or len(set(labels[inside])) < 2:
            continue
        margins[~inside] = _margin(features[~inside], *_fit(features[inside], labels[inside]))
    return margins


def _pass_below(probability: np.ndarray, caught: np.ndarray, recall: float) -> float:
    """The limit below which so few of these restricted rows fall that, with those the rules stop, not too many pass."""
    if len(probability) < ROWS_MIN:
        return 0.0
    held = np.sort(np.where(caught, 1.0, probability))
    return float(np.floor(1000 * held[int((1 - recall) * len(held))]) / 1000)


def _reject_above(probability: np.ndarray, restricted: np.ndarray) -> float:
    order = np.argsort(-probability, kind="stable")
    precision = np.cumsum(restricted[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(precision >= PRECISION_MIN)
    limit = float(probability[order[good[-1]]]) if len(good) else 1.0
    return float(min(max(np.ceil(1000 * limit) / 1000, 0.9), 1.0))


def fit_categories(labelled: Labelled) -> tuple[CategoryModel, dict[str, Any]]:
    """The model on all rows, and its card: rows by source and label, limits, and what was measured out of sample.

    Raises
    ------
    ValueError
        Fewer than two departments, `other` among them, are labelled.
    """
    from sklearn.linear_model import LogisticRegression

    labels = np.array(labelled.labels, dtype=object).astype(str)
    if "other" not in labels or len(set(labels.tolist())) < 2:
        raise ValueError("wanted rows of at least one of food, electronics, apparel, and rows that are none of them")
    features, rarity = _features(labelled.texts)
    margins, restricted = held_out_margins(labelled, features), labels != "other"
    known = ~np.isnan(margins)
    calibration = LogisticRegression(C=1e6).fit(margins[known].reshape(-1, 1), restricted[known])
    slope, shift = max(float(calibration.coef_[0, 0]), 1e-3), float(calibration.intercept_[0])
    probability = 1.0 / (1.0 + np.exp(-(slope * margins + shift)))
    paths = np.array(labelled.is_path, dtype=bool)
    caught = np.array(labelled.is_caught, dtype=bool)
    of_titles, of_paths = (
        known & restricted & ~paths,
        known & restricted & paths & np.array([text.count(" > ") == 1 for text in labelled.texts]),
    )
    weights, intercepts = _fit(features, labels)
    model = CategoryModel(
        slots=SLOTS,
        weights=as_text(weights),
        rarity=as_text(rarity),
        intercepts=tuple(float(value) for value in intercepts),  # type: ignore[arg-type]
        slope=slope,
        shift=shift,
        title_pass_below=min(_pass_below(probability[of_titles], caught[of_titles], RECALL_MIN), PASS_BELOW_MAX),
        path_pass_below=min(_pass_below(probability[of_paths], caught[of_paths], PATH_RECALL_MIN), PASS_BELOW_MAX),
        reject_above=_reject_above(probability[known], restricted[known]),
    )
    return model, _card(labelled, model, probability, known)


def _card(labelled: Labelled, model: CategoryModel, probability: np.ndarray, known: np.ndarray) -> dict[str, Any]:
    labels, sources = np.array(labelled.labels).astype(str), np.array(labelled.sources).astype(str)
    paths, caught = np.array(labelled.is_path, dtype=bool), np.array(labelled.is_caught, dtype=bool)
    limits = np.where(paths, model.path_pass_below, model.title_pass_below)
    reported = {}
    for source in sorted(set(sources.tolist())):
        rows = known & (sources == source)
        restricted, clean = rows & (labels != "other"), rows & (labels == "other")
        reported[source] = {
            "restricted": int(restricted.sum()),
            "restricted_not_passed": _mean((probability[restricted] >= limits[restricted]) | caught[restricted]),
            "clean": int(clean.sum()),
            "clean_not_passed": _mean(probability[clean] >= limits[clean]),
            "clean_rejected": _mean(probability[clean] >= model.reject_above),
        }
    return {
        "rows": len(labelled),
        "labels": {name: int((labels == name).sum()) for name in MODEL_DEPARTMENTS},
        "title_pass_below": model.title_pass_below,
        "path_pass_below": model.path_pass_below,
        "reject_above": model.reject_above,
        "held_out": reported,
        "calibration": _calibration(probability[known], labels[known] != "other"),
    }


def _calibration(probability: np.ndarray, restricted: np.ndarray) -> list[dict[str, float | int | None]]:
    """Said against seen in tenths."""
    tenth = np.minimum((probability * 10).astype(int), 9)
    rows = [(t, tenth == t) for t in range(10)]
    return [{"rows": int(r.sum()), "said": _mean(probability[r]), "seen": _mean(restricted[r])} for _, r in rows if r.any()]


def _mean(values: np.ndarray) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None
