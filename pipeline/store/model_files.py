"""Fitted models on disk: a JSON file and its card. A damaged model, or one that this version did not write, is refused.

A model file cannot name code: only the fields of its kind are accepted, and any other field is refused.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.errors import ModelError
from pipeline.messages import Words
from pipeline.stages.categories.text_model import CategoryModel
from pipeline.stages.fitted_models import FittedModels
from pipeline.stages.prices.pooled_moves import PriceModel
from pipeline.stages.returns.prior import ReturnModel
from pipeline.store.data_folder import DataFolder
from pipeline.store.files import file_bytes

FORMAT = "shortlist model"
VERSION = 1
CARD = "model.json"
_BYTES_MAX = 64 << 20

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Trained:
    """A fitted model before it is kept: the content of its file, its card, and its summary lines."""

    kind: str
    content: bytes
    card: Mapping[str, Any]
    lines: Callable[[Words], list[str]]

    @property
    def digest(self) -> str:
        """SHA-256 of the model file."""
        return hashlib.sha256(self.content).hexdigest()


def packed(kind: str, model: BaseModel) -> bytes:
    """The bytes of the model file; equal numbers give equal bytes."""
    reported = {"format": FORMAT, "version": VERSION, "kind": kind, "model": model.model_dump(mode="json")}
    return json.dumps(reported, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"


def keep_model(data: DataFolder, trained: Trained) -> Path:
    """Write the model and its card, and make it the current model of its kind."""
    card = {"kind": trained.kind, "file": _file(trained.kind), "sha256": trained.digest, **trained.card}
    content = json.dumps(card, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False).encode() + b"\n"
    return data.commit_model(trained.kind, trained.digest[:16], {_file(trained.kind): trained.content, CARD: content})


def load_models(data: DataFolder) -> FittedModels:
    """The current models of this data folder; raises `ModelError` for one that this version did not write."""
    kinds = (("returns", ReturnModel), ("prices", PriceModel), ("categories", CategoryModel))
    found = {kind: _loaded(data, kind, model) for kind, model in kinds}
    returns, prices, categories = found["returns"], found["prices"], found["categories"]
    return FittedModels(
        returns=returns[0] if returns else None,  # type: ignore[arg-type]
        prices=prices[0] if prices else None,  # type: ignore[arg-type]
        categories=categories[0] if categories else None,  # type: ignore[arg-type]
        digests={kind: reported[1] for kind, reported in found.items() if reported},
        cards={kind: reported[2] for kind, reported in found.items() if reported},
    )


def _file(kind: str) -> str:
    return f"{kind}.json"


def _loaded(data: DataFolder, kind: str, model: type[M]) -> tuple[M, str, Mapping[str, Any]] | None:
    folder = data.model(kind)
    if folder is None:
        return None
    name = f"{kind} model in {folder}"
    try:
        content, card_content = (file_bytes(folder / file, _BYTES_MAX) for file in (_file(kind), CARD))
    except OSError as error:
        raise ModelError(f"{name}: {error.strerror}; run `shortlist train` again") from None
    if max(len(content), len(card_content)) > _BYTES_MAX:
        raise ModelError(f"{name}: larger than any model of ours; run `shortlist train` again")
    try:
        reported, card = json.loads(content), json.loads(card_content)
    except (ValueError, RecursionError):
        raise ModelError(f"{name}: damaged; run `shortlist train` again") from None
    if not isinstance(reported, dict) or reported.get("format") != FORMAT or reported.get("kind") != kind:
        raise ModelError(f"{name}: not a {kind} model of this program; run `shortlist train` again")
    if reported.get("version") != VERSION:
        raise ModelError(f"{name}: form {reported.get('version')!r}, wanted {VERSION}; run `shortlist train` again")
    digest = hashlib.sha256(content).hexdigest()
    if not isinstance(card, dict) or card.get("sha256") != digest:
        raise ModelError(f"{name}: not the file that its card names; run `shortlist train` again")
    try:
        dt.date.fromisoformat(card["data"]["to"])
    except (KeyError, TypeError, ValueError):
        raise ModelError(f"{name}: its card names no last day; run `shortlist train` again") from None
    try:
        return model.model_validate(reported.get("model")), digest, card
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"]) or "model"
        raise ModelError(f"{name}: {place}: {fault['msg']}; run `shortlist train` again") from None
