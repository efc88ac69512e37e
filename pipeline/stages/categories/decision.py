"""The decision about one listing: the findings of its path, brand and title, and the strictest of them under a policy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from pipeline.errors import PlanError
from pipeline.stages.categories.brands import Brand
from pipeline.stages.categories.paths import PathFacts
from pipeline.stages.categories.rule_tables import RESTRICTED
from pipeline.stages.categories.titles import TitleHits

SEVERITY = {"pass": 0, "review": 1, "reject": 2}
# State, key, and the known brand when it is one (`BrandBook.state`).
BrandClaim = tuple[str, str, Brand | None]


@dataclass(frozen=True)
class CategoryPolicy:
    """What to do with each case: `reject`, `review` or `pass`. The defaults are explained in docs/categories.md.

    `licence` is for a licence or an accessory brand in the title of apparel; `no_category` for a blank path or an unknown
    root ("pass" lets a row through when its title has no restricted word at all); `mismatch` for a harmless category with a
    title that says otherwise. `authorised_brands` soften an apparel rejection to a review; `known_brands` are the seller's own.
    """

    electronics: str = "reject"
    food: str = "reject"
    apparel_known: str = "reject"
    apparel_unknown: str = "review"
    apparel_missing: str = "review"
    apparel_generic: str = "pass"
    powered: str = "review"
    animal_food: str = "review"
    supplements: str = "reject"
    luggage: str = "pass"
    licence: str = "review"
    licence_goods: str = "pass"
    baby: str = "pass"
    hazmat: str = "review"
    batteries: str = "review"
    no_category: str = "review"
    mismatch: str = "review"
    authorised_brands: frozenset[str] = frozenset()
    known_brands: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not each.name.endswith("_brands") and value not in SEVERITY:
                raise PlanError(f"category policy: {each.name}: {value!r} is none of pass, reject, review")


@dataclass(frozen=True)
class Finding:
    verdict: str
    sentence: str
    evidence: str


@dataclass(frozen=True)
class Opinion:
    """The text model's result where the category is unknown: `clear`, `doubtful` or `restricted`, from the path or the title."""

    grade: str
    source: str
    department: str
    probability: str
    word: str


@dataclass(frozen=True)
class Terms:
    """What the seller has laid down: the policy, and the keys of the brands that the seller may sell."""

    policy: CategoryPolicy
    authorised: frozenset[str] = frozenset()


def judge(path: PathFacts, brand: BrandClaim, hits: TitleHits, terms: Terms, opinion: Opinion | None = None) -> Finding:
    """The strictest finding on one listing; among equals the first, so the order here is the order of what matters most."""
    findings = findings_on(path, brand, hits, terms, opinion)
    if not findings:
        where = f'category "{path.segment or path.root}"' if path.root else "the title, without a category"
        return Finding("pass", f"pass: no restricted evidence in {where}", path.segment or path.root)
    return max(findings, key=lambda finding: SEVERITY[finding.verdict])


def findings_on(path: PathFacts, brand: BrandClaim, hits: TitleHits, terms: Terms, opinion: Opinion | None = None) -> list[Finding]:
    """Every finding on one listing, in the order of what matters most."""
    policy = terms.policy
    if opinion is not None and (opinion.grade, opinion.source) == ("clear", "path"):
        path = replace(path, is_known=True)  # as good as a known harmless root: the title is held to the same measure
    return [
        *_judge_path(path, brand, hits, policy),
        *_judge_brand(path, brand, hits, policy, terms.authorised),
        *_judge_title(path, hits, policy),
        *_judge_maker(path, brand, hits, policy),
        *(_judge_absence(path, policy) if opinion is None else _judge_opinion(path, brand, opinion, policy)),
    ]


def _said(verdict: str) -> str:
    return "rejected" if verdict == "reject" else verdict


def _where(path: PathFacts) -> str:
    if path.segment and path.segment != path.root:
        return f'category segment "{path.segment}" (root "{path.root}")'
    return f'category root "{path.root}"'


def _judge_path(path: PathFacts, brand: BrandClaim, hits: TitleHits, policy: CategoryPolicy) -> Iterable[Finding]:
    evidence = path.segment or path.root
    named = {
        "electronics": policy.electronics,
        "food": policy.supplements if path.kind == "supplements" else policy.food,
        "powered": policy.powered,
        "animal_food": policy.animal_food,
        "luggage": policy.luggage,
    }
    if path.department in named:
        verdict = named[path.department]
        if _is_toy_among_games(path, brand, hits):
            verdict = min(verdict, policy.mismatch, key=SEVERITY.__getitem__)
        name = "food: ingestible" if path.kind == "supplements" else path.department.replace("_", " ")
        yield Finding(verdict, f"{_said(verdict)}: {name}, because of {_where(path)}{_doubt(path, brand, hits)}", evidence)

    for remark, segment in path.remarks:
        verdict = getattr(policy, remark)
        if verdict != "pass":
            yield Finding(verdict, f'{_said(verdict)}: {_REMARKS[remark]}, because of category segment "{segment}"', segment)


_REMARKS = {"baby": "goods for babies", "hazmat": "dangerous goods"}


def _is_toy_among_games(path: PathFacts, brand: BrandClaim, hits: TitleHits) -> bool:
    # Building sets stand under "Games > PlayStation 4 > Spiele" in real exports: the maker and the title contradict, so a person decides.
    maker = brand[2]
    is_toy = path.root_key == "VideoGames" and maker is not None and maker.kind == "toy"
    return is_toy and not any(word.department == "electronics" for word in hits.words)


def _doubt(path: PathFacts, brand: BrandClaim, hits: TitleHits) -> str:
    # Tells a person that the category may be the mistake.
    if path.department not in RESTRICTED or any(word.department == path.department for word in hits.words):
        return ""
    goods = [word.text for word in hits.words if word.department == "goods"]
    goods += [found.brand.name for found in hits.brands if found.brand.kind == "toy" and not found.is_compatible]
    if goods:
        return f"; the title disagrees ({', '.join(goods[:3])})"
    maker = brand[2]
    return f"; the brand disagrees ({maker.name} makes toys)" if maker is not None and maker.kind == "toy" else ""


def _judge_absence(path: PathFacts, policy: CategoryPolicy) -> Iterable[Finding]:
    if not path.is_known:
        why = f'the category root "{path.root}" does not tell what it is' if path.root else "there is no category"
        yield Finding(policy.no_category, f"{_said(policy.no_category)}: {why}", path.root)


def _judge_opinion(path: PathFacts, brand: BrandClaim, opinion: Opinion, policy: CategoryPolicy) -> Iterable[Finding]:
    where = f'category "{path.root}"' if opinion.source == "path" else "the title"
    word = f', mostly "{opinion.word}"' if opinion.word else ""
    if opinion.grade == "clear":
        message = (
            f"pass: the category is not known, and the text model finds nothing restricted in {where} (probability {opinion.probability})"
        )
        yield Finding("pass", message, path.root)
    elif opinion.grade == "restricted":
        # Clothes go by their brand; a model's word is not enough to let unbranded ones pass.
        of_apparel = policy.apparel_known if brand[0] == "known" else "review"
        verdict = {"electronics": policy.electronics, "food": policy.food, "apparel": of_apparel}[opinion.department]
        message = f"{_said(verdict)}: {opinion.department}, says the text model of {where} (probability {opinion.probability}{word})"
        yield Finding(verdict, message, opinion.word or path.root)
    else:
        message = (
            f"review: the category is not known, the text model not sure of {where} ({opinion.department} {opinion.probability}{word})"
        )
        yield Finding("review", message, path.root)


def _judge_brand(
    path: PathFacts, brand: BrandClaim, hits: TitleHits, policy: CategoryPolicy, authorised: frozenset[str]
) -> Iterable[Finding]:
    if not path.is_worn:
        if policy.licence_goods != "pass":
            for found in hits.brands:
                if found.brand.kind == "licence" and found.brand.key not in {brand[1], *authorised}:
                    verdict = policy.licence_goods
                    yield Finding(verdict, f'{_said(verdict)}: the title names the licence "{found.brand.name}"', found.brand.name)
        return
    state, key, known = brand
    name = known.name if known else ""
    is_gear = path.department != "apparel"
    what = "worn gear" if is_gear else "apparel"

    def most(verdict: str) -> str:
        # Gear is no clothing: its maker's name alone asks for a look.
        return min(verdict, "review", key=SEVERITY.__getitem__) if is_gear else verdict

    if state == "known" and key in authorised:
        verdict = min(policy.apparel_known, "review", key=lambda v: SEVERITY[v])
        yield Finding(verdict, f'{_said(verdict)}: {what} of "{name}", for which you are authorised, in {_where(path)}', name)
    else:
        by_state = {
            "known": policy.apparel_known,
            "unknown": policy.apparel_unknown,
            "generic": policy.apparel_generic,
            "missing": policy.apparel_missing,
        }
        verdict = most(by_state[state])
        said = {
            "known": f'of the known brand "{name}"',
            "unknown": f'of "{key}", a brand neither known nor unbranded,',
            "generic": "that claims to be unbranded (a class with many returns)",
            "missing": "without a brand",
        }[state]
        yield Finding(verdict, f"{_said(verdict)}: {what} {said} in {_where(path)}", name or path.segment or path.root)
    worn = [word.text for word in hits.words if word.is_wearable]
    if worn:
        verdict = policy.electronics
        yield Finding(verdict, f"{_said(verdict)}: electronics, because the title says {', '.join(worn)}", ", ".join(worn))
    for found in hits.brands:
        if found.brand.key == key or found.brand.key in authorised:
            continue
        is_hint = found.is_compatible or found.brand.kind == "licence"
        verdict = most(policy.licence if is_hint else policy.apparel_known)
        yield Finding(verdict, f'{_said(verdict)}: {what}, and the title names "{found.brand.name}"', found.brand.name)


def _judge_title(path: PathFacts, hits: TitleHits, policy: CategoryPolicy) -> Iterable[Finding]:
    named = {word.department for word in hits.words}
    for department in (*RESTRICTED, "powered"):
        if department not in named or department == path.department or department in path.cancels:
            continue
        found = [w for w in hits.words if w.department == department and (w.is_hard or department not in path.quiet)]
        counts_alone = any(w.is_hard or (w.is_plain and department in path.careless) for w in found)
        if not found or (department == "powered" and path.department == "electronics"):
            continue
        # Without a category the title is all there is: one soft word is enough for a look.
        if len(found) >= 2 or counts_alone or not path.is_known:
            verdict = policy.powered if department == "powered" else policy.mismatch
            texts = ", ".join(word.text for word in found[:4])
            where = f'category says "{path.segment or path.root}"' if path.root else "there is no category"
            yield Finding(verdict, f"{_said(verdict)}: {where}, but the title says {department} ({texts})", texts)


# What makers of such goods make.
_MADE_BY = {"electronics": "electronics", "apparel": "apparel"}


def speaks_by_its_maker(hits: TitleHits) -> bool:
    """Whether a title names a maker of electronics or clothes, not as what an accessory is for."""
    return any(found.brand.kind in _MADE_BY and not found.is_compatible for found in hits.brands)


def _judge_maker(path: PathFacts, brand: BrandClaim, hits: TitleHits, policy: CategoryPolicy) -> Iterable[Finding]:
    # Where the category is unknown the maker's name decides: parts and model numbers hold no other word.
    if path.is_known or path.department != "unknown":
        return
    makers = [brand[2]] if brand[2] is not None else []
    makers += [found.brand for found in hits.brands if not found.is_compatible]
    for maker in makers:
        if maker.kind in _MADE_BY:
            yield Finding(
                policy.mismatch,
                f"{_said(policy.mismatch)}: {maker.name} makes {_MADE_BY[maker.kind]}, and no category tells more",
                maker.name,
            )
            return


def brand_of(cell: BrandClaim, hits: TitleHits) -> BrandClaim:
    """The brand claim of a listing: its cell's, or, since an empty cell says nothing, a known name the title begins with or says "by"."""
    if cell[0] != "missing":
        return cell
    for found in hits.brands:
        if found.leads and not found.is_compatible and found.brand.kind != "licence":
            return "known", found.brand.key, found.brand
    return cell
