"""The trace of a category verdict, step by step, for `explain`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.stages.categories.decision import SEVERITY, Opinion, Terms, brand_of, findings_on
from pipeline.stages.categories.gate import CategoryPolicy, CategoryRules
from pipeline.stages.categories.overrides import override_note
from pipeline.stages.categories.paths import PathReader
from pipeline.stages.categories.prediction import opinions
from pipeline.stages.categories.text_model import CategoryModel
from pipeline.stages.categories.title_scan import TitleScanner


def trail(
    cells: tuple[str | None, str | None, str | None],
    rules: CategoryRules,
    policy: CategoryPolicy,
    model: CategoryModel | None = None,
    reason: str = "",
) -> list[str]:
    """What is found in a listing's title, brand and path, in the order in which it is asked; the strictest finding decides.

    `model` is the text model of the run, used where the category is unknown; `reason` is the run's own, which names a seller's decision.
    """
    title, brand, path = cells
    book = rules.brands.with_names(policy.known_brands)
    terms = Terms(policy, frozenset(book.column[k].key if k in book.column else k for k in map(book.key, policy.authorised_brands)))
    reader, scanner = PathReader(rules), TitleScanner(rules.lexicon, book)
    facts = reader.read(path)
    places, found_of = scanner.scan([title])
    hits = found_of[places[0]]
    claim = brand_of(book.state(brand), hits)
    lines = [f'path: root "{facts.root}" is {facts.root_key or "not known"}' if facts.root else "path: none"]
    lines += [f"path: {line}" for line in reader.matches(path)]
    where = f'"{facts.segment or facts.root}"' if facts.root else "nothing"
    lines.append(f"path: so the department is {facts.department}, by {where}")
    for word in hits.words:
        strength = "alone" if word.is_hard else "beside a second one"
        lines.append(
            f'title: "{word.text}" speaks for {word.department}, {strength}' if word.department != "goods" else f'title: "{word.text}"'
        )
    lines += [f'title: names {"an accessory of " if found.is_compatible else ""}"{found.brand.name}"' for found in hits.brands]
    lines.append(f"brand: {claim[0]}" + (f' "{claim[1]}"' if claim[1] else ""))
    opinion = None
    if policy.no_category == "review" and facts.is_uninformative:
        opinion = _opinion(cells, facts.is_tree, scanner, model)
        lines += _opinion_lines(opinion, model)
    found = findings_on(facts, claim, hits, terms, opinion)
    lines += [f"finding: {one.sentence}" for one in sorted(found, key=lambda one: -SEVERITY[one.verdict])] or [
        "finding: none, so it passes"
    ]
    own = override_note(reason)
    return [*lines, f"override: {own}"] if own else lines


def _opinion(
    cells: tuple[str | None, str | None, str | None], is_tree: bool, scanner: TitleScanner, model: CategoryModel | None
) -> Opinion | None:
    if model is None:
        return None
    listing = pd.DataFrame([cells], columns=["title", "brand", "category_path"], dtype="str")
    places, reported = opinions(listing, np.array([True]), np.array([is_tree]), scanner.rests, model)
    return reported[places[0]]


def _opinion_lines(opinion: Opinion | None, model: CategoryModel | None) -> list[str]:
    """What the text model read, what it says, and the limits that make an opinion of a probability."""
    if opinion is None or model is None:
        return ["model: none was trained, so a category that tells nothing leaves the row to you"]
    read, limit = ("the path", model.path_pass_below) if opinion.source == "path" else ("the title", model.title_pass_below)
    word = f', mostly by "{opinion.word}"' if opinion.word else ""
    return [
        f"model: reads {read}: {opinion.department} with probability {opinion.probability}{word}",
        f"model: so it is {opinion.grade} (clear below {limit}, restricted from {model.reject_above} on)",
    ]
