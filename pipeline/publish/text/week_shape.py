"""The shape of a week: a few shares and levels of its input and decisions, compared with earlier weeks.

"Could this go wrong, and would the run still finish without complaining?" A dump in cents instead of dollars, an export without its brand
column, a filter left on in a research tool: every line can be read, and the list is nonsense. The shape tells.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.config.plan import Guards
from pipeline.store.parquet import null_counts, read_parquet

# Facts whose absence, when it becomes common, means that an export changed.
_FACTS = ("price", "brand", "category_path", "gtin", "monthly_sold", "package_weight_g", "supplier_id", "unit_cost", "landed_cost")
# Tables with a row for each thing there is; how long the others are depends on how many days an export goes back.
_COUNTED = ("candidates", "offers")


@dataclass(frozen=True)
class Doubt:
    """One figure out of its bounds: which guard, of what, this week's value, the usual one, the bounds."""

    guard: str
    of: str
    observed: float
    usual: float
    least: float
    most: float
    text: str


def shape_of(entries: Sequence[Mapping[str, Any]], verdicts: Mapping[str, int], decisions: Path) -> dict[str, Any]:
    """What `run.json` keeps of a week's shape.

    Parameters
    ----------
    entries : the files' accounts (`manifest.file_entry`)
    verdicts : candidates by verdict
    decisions : the week's `decisions.parquet`

    Returns
    -------
    dict with `candidates` (count), `rows` (rows used, by source), `set_aside` (share of records, by source), `missing` (share of
    candidates, by fact), `price` (by marketplace and department: `products`, and their median price in major units) and `verdicts` (shares)
    """
    candidates = sum(verdicts.values())
    rows: dict[str, int] = {}
    aside: dict[str, int] = {}
    for entry in entries:
        source = str(entry["source"])
        aside[source] = aside.get(source, 0) + sum(entry["set_aside"].values())
        rows[source] = rows.get(source, 0) + entry["rows"]
    counted = {str(entry["source"]) for entry in entries if entry["table"] in _COUNTED}
    missing = null_counts(decisions, _FACTS)
    return {
        "candidates": candidates,
        "rows": {source: count for source, count in sorted(rows.items()) if source in counted},
        "set_aside": {source: _share(aside[source], rows[source] + aside[source]) for source in sorted(rows)},
        "missing": {fact: _share(missing[fact], candidates) for fact in _FACTS},
        "price": _price_levels(decisions),
        "verdicts": {verdict: _share(count, candidates) for verdict, count in sorted(verdicts.items())},
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def _price_levels(decisions: Path) -> dict[str, dict[str, float]]:
    table = read_parquet(decisions, ["marketplace", "department", "price"])
    known = table.filter(table["price"].is_valid()).to_pandas()
    levels = known.groupby(["marketplace", "department"], sort=True)["price"].agg(["size", "median"])
    return {
        f"{marketplace} {department}": {"products": int(size), "median": round(float(median), 4)}
        for (marketplace, department), size, median in zip(levels.index, levels["size"], levels["median"], strict=True)
    }


def doubts(shape: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], listed: tuple[int, int, int], plan: Guards) -> list[Doubt]:
    """Every figure of a week that is out of its bounds against the weeks before.

    Parameters
    ----------
    shape, earlier : `shape_of` this week and of the weeks before, the newest last; without earlier ones nothing is doubted
    listed : products on this list, on the last one, and on both
    plan : the bounds
    """
    if not earlier:
        return []
    found = [*_row_doubts(shape, earlier, plan), *_share_doubts(shape, earlier, plan), *_price_doubts(shape, earlier, plan)]
    ours, theirs, both = listed
    shorter = min(ours, theirs)
    if shorter >= plan.list_min and both / shorter < plan.overlap_min:
        message = f"only {both:,} of {shorter:,} products are on this list and on the last one"
        found.append(_doubt("overlap", "list", (both / shorter, 1.0), (plan.overlap_min, 1.0), message))
    if not ours and theirs >= plan.list_min:
        found.append(_doubt("overlap", "list", (0.0, theirs), (1.0, float(theirs)), f"the list is empty, the last one held {theirs:,}"))
    return found


def _row_doubts(shape: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], plan: Guards) -> Iterator[Doubt]:
    sources = {source for week in earlier for source in week["rows"]}
    for source in sorted(sources):
        usual = statistics.median(week["rows"].get(source, 0) for week in earlier)
        rows = shape["rows"].get(source, 0)
        least, most = usual / plan.rows_factor_max, usual * plan.rows_factor_max
        if usual >= plan.rows_min and not least <= rows <= most:
            yield _doubt("rows", source, (rows, usual), (least, most), f"{source}: {rows:,} rows, usually {usual:,.0f}")


def _share_doubts(shape: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], plan: Guards) -> Iterator[Doubt]:
    if shape["candidates"] < plan.candidates_min or statistics.median(week["candidates"] for week in earlier) < plan.candidates_min:
        return
    kinds = (
        ("set_aside", plan.set_aside_change_max, "{0}: {1:.1%} of the records set aside, usually {2:.1%}"),
        ("missing", plan.missing_change_max, "{0} is missing for {1:.0%} of the candidates, usually {2:.0%}"),
        ("verdicts", plan.verdict_change_max, "{1:.0%} of the candidates are {0}, usually {2:.0%}"),
    )
    for kind, change, words in kinds:
        for name, share in shape[kind].items():
            known = [week[kind][name] for week in earlier if name in week[kind]]
            if not known:
                continue
            usual = statistics.median(known)
            # Fewer lines set aside than usual is no doubt.
            least = 0.0 if kind == "set_aside" else usual - change
            if not least <= share <= usual + change:
                yield _doubt(kind, name, (share, usual), (least, usual + change), words.format(name, share, usual))


def _price_doubts(shape: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], plan: Guards) -> Iterator[Doubt]:
    for place, level in shape["price"].items():
        before = [week["price"][place] for week in earlier if place in week["price"]]
        if level["products"] < plan.price_products_min or not before:
            continue
        if statistics.median(week["products"] for week in before) < plan.price_products_min:
            continue
        usual = statistics.median(week["median"] for week in before)
        least, most = usual / plan.price_factor_max, usual * plan.price_factor_max
        if not least <= level["median"] <= most:
            message = f"{place}: the median price is {level['median']:,.2f}, usually {usual:,.2f}"
            yield _doubt("price", place, (level["median"], usual), (least, most), message)


def _doubt(guard: str, of: str, figures: tuple[float, float], bounds: tuple[float, float], reported: str) -> Doubt:
    least, most = (round(bound, 6) for bound in bounds)
    shown = f"{reported} (wanted {least:,.4g} to {most:,.4g})"
    return Doubt(guard, of, round(float(figures[0]), 6), round(float(figures[1]), 6), least, most, shown)


def plain(found: Sequence[Doubt]) -> list[dict[str, Any]]:
    """Doubts as `run.json` holds them."""
    return [asdict(doubt) for doubt in found]
