"""The way to a category verdict, step by step, for a person who asks why."""

from __future__ import annotations

from pipeline.stages.categories import CategoryPolicy, CategoryRules
from pipeline.stages.category_decision import SEVERITY, Terms, brand_of, findings_on
from pipeline.stages.category_paths import PathReader
from pipeline.stages.category_scan import TitleScanner


def trail(cells: tuple[str | None, str | None, str | None], rules: CategoryRules, policy: CategoryPolicy) -> list[str]:
    """What the rules find in a listing's title, brand and path, in the order in which they are asked; the strictest finding decides.

    Only what the rule files say: an opinion of the text model or a seller's own decision stands in `category_reason`.
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
    found = findings_on(facts, claim, hits, terms)
    lines += [f"finding: {one.sentence}" for one in sorted(found, key=lambda one: -SEVERITY[one.verdict])] or [
        "finding: none, so it passes"
    ]
    return lines
