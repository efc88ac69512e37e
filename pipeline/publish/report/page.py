"""`report.html`: one file that loads nothing, complete without script, better with it."""

from __future__ import annotations

import base64
import functools
import hashlib
import shlex
from collections.abc import Mapping
from typing import Any

import jinja2
from markupsafe import Markup

from pipeline.config.files import read_templates
from pipeline.config.plan import Plan
from pipeline.messages import Words
from pipeline.messages.rules import ACTION_WORDS, RULE_NAMES, SEVERITY_WORDS, STATE_WORDS, VERDICT_WORDS
from pipeline.publish.report import charts
from pipeline.publish.report.columns import DEPARTMENT_WORDS, columns
from pipeline.publish.report.evidence import product_facts
from pipeline.publish.tables.run_json import set_aside_share
from pipeline.publish.text.formatting import money, readable, share, whole_number
from pipeline.publish.text.limit_states import BAD, GOOD, MISSING, NEAR
from pipeline.publish.view.run_view import Page, Product
from pipeline.publish.view.sentences import CHANGE_KINDS, PART_WORDS, Sentences
from pipeline.stages.score.score import PARTS

_SCATTER_MOST = 120
_SHAPES = {
    GOOD: "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0-5 0Z",
    NEAR: "M0-6.5L6.5 0L0 6.5L-6.5 0Z",
    BAD: "M-4-6L0-2L4-6L6-4L2 0L6 4L4 6L0 2L-4 6L-6 4L-2 0L-6-4Z",
    MISSING: "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0-5 0Z",
}
_LEVELS = {"even": ("breaks even at", "break_even_price"), "target": ("meets the target at", "target_price")}


def render(page: Page) -> bytes:
    """The page as UTF-8; the same run gives the same bytes."""
    say = Words(page.run.language)
    sentences = Sentences(say, page.digits)
    environment, script = _environment()
    held = _products(page)
    anchors = {product.key: str(place) for place, product in enumerate(held, 1)}
    context = {
        "t": _Template(say),
        "sentences": sentences,
        "page": page,
        "m": page.manifest,
        "script": Markup(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "products": held,
        "anchors": anchors,
        **_words(page.plan, sentences),
        **_list_parts(page, sentences, held, anchors),
        **_sections(page, sentences),
        **_drawn(page, sentences, held, anchors),
    }
    return environment.get_template("report.html").render(context).encode()


@functools.cache
def _environment() -> tuple[jinja2.Environment, str]:
    """The templates, parsed once in a process, and the page's script; strangers' text is escaped wherever it stands."""
    files = read_templates()
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, loader=jinja2.DictLoader(files)
    )
    environment.filters |= {
        "money": jinja2.pass_context(lambda context, product, column: context["sentences"].money(product, column)),
        "yuan": jinja2.pass_context(lambda context, product, column: context["sentences"].yuan(product, column)),
        "amount": jinja2.pass_context(lambda context, product, value: context["sentences"].amount(product, value)),
        "share": share,
        "count": whole_number,
        "title": readable,
        "shell": shlex.quote,  # a product id comes from strangers, and a shown command is there to be copied
        "sortable": lambda value: f"{value:.8g}" if isinstance(value, float) else value,
    }
    return environment, files["script.js"]


class _Template:
    """`t(...)` in a template: the text in the page's language."""

    def __init__(self, say: Words) -> None:
        self._say = say
        self.language_code = {"en": "en", "zh": "zh-Hans"}[say.language]

    def __call__(self, text: str, **holes: object) -> str:
        return self._say(text, **holes)

    def found(self, sentence: str) -> str:
        return self._say.found(sentence)


def _products(page: Page) -> list[Product]:
    """The rows of the table: the list, then live listings, the review queue and near misses that are not on it; each once."""
    seen: dict[tuple[str, str], Product] = {}
    for kind in ("list", "live", "review", "miss"):
        for product in page.products.get(kind, []):
            seen.setdefault(product.key, product)
    return list(seen.values())


def _words(plan: Plan, sentences: Sentences) -> dict[str, Any]:
    return {
        "state_words": STATE_WORDS,
        "verdict_words": VERDICT_WORDS,
        "action_words": ACTION_WORDS,
        "severity_words": SEVERITY_WORDS,
        "rule_names": RULE_NAMES,
        "part_words": PART_WORDS,
        "score_parts": PARTS,
        "level_words": {name: words for name, (words, _) in _LEVELS.items()},
        "why": sentences.why,
        "flag_words": sentences.flag,
        "evidence_short": sentences.evidence,
        "failing_words": sentences.failing,
        "miss_words": sentences.miss,
        "source_words": sentences.source,
        "since_last": sentences.since_last,
        "change_why": sentences.change_why,
        "change_ranks": sentences.change_ranks,
        "change_kinds": CHANGE_KINDS,
        "rule_figures": sentences.figures,
        "rank_change": functools.partial(_rank_change, sentences.say),
        "held_count": lambda product: sum(line.state == GOOD for line in product.lines),
        "facts": functools.partial(product_facts, plan, sentences),
        "marks": lambda product: [*(product.row["flags"] or ()), *(line.rule for line in product.lines if line.severity == "reject")],
    }


def _rank_change(say: Words, product: Product) -> Markup | str:
    if product.is_new:
        return Markup("<small>{}</small>").format(say("new"))
    if product.was is None or product.row["rank"] is None:
        return ""
    gap = product.was - product.row["rank"]
    words = say("up {n} from {was}", n=gap, was=product.was) if gap > 0 else say("down {n} from {was}", n=-gap, was=product.was)
    sign = f"▲{gap}" if gap > 0 else f"▼{-gap}" if gap < 0 else "="
    return Markup('<small><span aria-hidden="true">{}</span><i>{}</i></small>').format(sign, words if gap else say("as before"))


def _list_parts(page: Page, sentences: Sentences, held: list[Product], anchors: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    verdicts = [word for word in VERDICT_WORDS if any(product.row["verdict"] == word for product in held)]
    departments = sorted({product.row["department"] for product in held if product.row["department"]})
    rules = sorted({flag for product in held for flag in product.row["flags"] or ()} | {
        line.rule for product in held for line in product.lines if line.severity == "reject"
    })  # fmt: skip
    live = page.products.get("live", [])
    return {
        "columns": columns(sentences),
        "verdicts_shown": verdicts,
        "departments": [(name, sentences.say(DEPARTMENT_WORDS.get(name, name))) for name in departments],
        "reasons_shown": sorted(((rule, sentences.flag(rule)) for rule in rules), key=lambda pair: pair[1]),
        "beyond": max(0, page.shortlist.num_rows - len(page.products.get("list", []))),
        "live": live,
        "live_failing": [product for product in live if product.row["verdict"] in ("rejected", "review", "incomplete")],
        "review": page.products.get("review", []),
        "misses": page.products.get("miss", []),
        "source": page.products.get("source", []),
    }


def _sections(page: Page, sentences: Sentences) -> dict[str, Any]:
    m, say = page.manifest, sentences.say
    totals = m["totals"]
    used = totals["rows"] - totals["non_products"] - totals["exact_repeats"]
    inside = totals["line_ends_in_values"]
    lines = [
        ("used", "records used", used),
        ("repeats", "exact repeats", totals["exact_repeats"]),
        ("other", "headers, blanks and other lines", totals["header"] + totals["blank"] + totals["non_records"] + inside),
        ("nonproducts", "non-products", totals["non_products"]),
        ("aside", "set aside", totals["set_aside"]),
    ]
    limit = page.plan.general.set_aside_share_max
    files = []
    for entry in m["inputs"]:
        aside = set_aside_share(entry)
        state = GOOD if not aside else NEAR if aside <= limit else BAD
        notes = "; ".join(readable(say.found(text), 160) for text in entry["warnings"])
        files.append(
            {**entry, "file": readable(entry["file"], 120), "aside": sum(entry["set_aside"].values()), "state": state, "notes": notes}
        )
    questions = [
        {"supplier": readable(q["supplier_id"], 60), "asks": say.listed(say.found(a) for a in q["asks"]), "products": q["products"]}
        for q in m["questions"]
    ]
    schedules = {s["marketplace"]: s["id"] for s in m["fee_schedules"]}
    markets = sorted({p.row["marketplace"] for group in page.products.values() for p in group})
    return {
        "line_parts": [{"id": id_, "words": words, "count": count} for id_, words, count in lines],
        "verdict_parts": [{"id": v, "words": VERDICT_WORDS[v], "count": m["verdicts"][v]} for v in VERDICT_WORDS],
        "files": files,
        "questions": questions,
        "warnings": [readable(say.found(text), 400) for text in m["warnings"]],
        "missing_facts": [(sentences.fact(fact), n) for fact, n in sorted(m["missing"].items(), key=lambda item: (-item[1], item[0]))],
        "tiles": _tiles(page, sentences),
        "run_facts": [
            (say("Week"), m["week"]),
            (say("Judged as of"), m["as_of"]),
            (say("Dump"), readable(m["dump"], 120)),
            (say("Fee schedules"), say.listed(schedules[market] for market in markets if market in schedules) or "–"),
            (say("Plan"), m["plan_sha256"][:12]),
            (say("Run"), m["run_id"]),
            (say("Versions"), say.listed(f"{name} {version}" for name, version in m["versions"].items())),
        ],
    }


def _tiles(page: Page, sentences: Sentences) -> list[dict[str, str]]:
    m, say = page.manifest, sentences.say
    listed = page.products.get("list", [])
    tiles = [(whole_number(m["verdicts"]["shortlisted"]), say("on the list"))]
    if m["previous_week"]:
        tiles.append((f"+{m['new']:,} / −{m['gone']:,}", say("new / gone since {week}", week=m["previous_week"])))
    profits = sorted(p.row["net_profit"] for p in listed if p.row["net_profit"] is not None)
    lows = sorted(p.row["net_profit_p10"] for p in listed if p.row["net_profit_p10"] is not None)
    currencies = {p.row["currency"] for p in listed}
    if profits and lows and len(currencies) == 1:
        currency = currencies.pop()
        tiles.append((money(profits[len(profits) // 2], currency, page.digits), say("median net profit an order")))
        tiles.append((money(lows[len(lows) // 2], currency, page.digits), say("median worst tenth")))
    measured = sum(p.states["return_rate"] != MISSING for p in listed)
    tiles.append((f"{measured:,} / {len(listed):,}", say("have a measured return rate")))
    tiles.append((whole_number(m["verdicts"]["review"]), say("wait for a look")))
    return [{"value": value, "words": words} for value, words in tiles]


def _drawn(page: Page, sentences: Sentences, held: list[Product], anchors: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    sparks = {
        anchors[p.key]: charts.spark(*p.series, page.as_of, {"even": p.row["break_even_price"], "target": p.target_price}) for p in held
    }
    points = []
    for product in page.products.get("list", [])[:_SCATTER_MOST]:
        row = product.row
        if row["return_rate"] is None or row["net_margin"] is None or not row["price"] or row["net_profit_p10"] is None:
            continue
        state = BAD if BAD in (product.states["net_margin"], product.states["return_rate"]) else product.states["return_rate"]
        points.append(
            {
                "anchor": anchors[product.key], "state": state, "rate": row["return_rate"], "rate_low": row["return_rate_low"],
                "rate_high": row["return_rate_high"], "margin": row["net_margin"],
                "margin_low": min(row["net_profit_p10"] / row["price"], row["net_margin"]),
                "margin_high": max(row["net_profit_p90"] / row["price"], row["net_margin"]),
                "words": f"{row['rank']}. {readable(row['title'], 60)}: {sentences.say('net margin')} {share(row['net_margin'])}, "
                         f"{sentences.say('return rate')} {share(row['return_rate'])} ({sentences.say(STATE_WORDS[state])})",
            }
        )  # fmt: skip
    return {
        "sparks": sparks,
        "chart": charts.scatter(points, page.plan.returns.rate_max, page.plan.rules.net_margin_min),
        "rate_limit": page.plan.returns.rate_max,
        "margin_limit": page.plan.rules.net_margin_min,
        "shapes": _SHAPES,
        "level_columns": {"even": "break_even_price", "target": "target_price"},
        "spark_words": functools.partial(_spark_words, sentences, page),
        "waterfall": lambda product: charts.waterfall(product.waterfall, product.row["net_profit"]),
    }


def _spark_words(sentences: Sentences, page: Page, product: Product) -> str:
    known = [price for price in product.series[1] if price is not None]
    if not known:
        return ""
    currency = product.row.get("currency")
    low, high = (money(value, currency, page.digits) for value in (min(known), max(known)))
    return sentences.say("Price of the last 180 days: {low} to {high}", low=low, high=high)
