"""The columns of the report's list: the Monday view, and what is shown on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pipeline.messages.rules import ACTION_WORDS, VERDICT_WORDS
from pipeline.publish.text.formatting import readable, share, whole_number
from pipeline.publish.view.run_view import Product
from pipeline.publish.view.sentences import Sentences

DEPARTMENT_WORDS = {
    "electronics": "electronics", "apparel": "apparel", "food": "food", "powered": "powered goods", "animal_food": "animal food",
    "luggage": "luggage", "supplements": "supplements", "other": "other goods", "unknown": "unknown",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column of the list: its place (from 1), what heads it, which template fills its cells, what they say and sort by."""

    id: str
    words: str
    template: str
    text: Callable[[Product], str]
    sort: Callable[[Product], Any]
    number: bool = False
    monday: bool = True
    state: str = ""
    place: int = 0
    css_label: str = ""


def columns(sentences: Sentences) -> list[Column]:
    """The columns of the list in their order; the first ten are the Monday view."""
    say = sentences.say

    def number(id_: str, words: str, text: Callable[[Product], str], **more: Any) -> Column:
        column = more.pop("column", id_)
        return Column(id_, words, more.pop("template", "cell-plain.html"), text, lambda p: p.row.get(column), number=True, **more)

    def plain(id_: str, words: str, text: Callable[[Product], str]) -> Column:
        return Column(id_, words, "cell-plain.html", text, lambda p: None, monday=False)

    def amount(column: str) -> Callable[[Product], str]:
        return lambda product: sentences.money(product, column)

    def rate(column: str) -> Callable[[Product], str]:
        return lambda product: share(product.row.get(column))

    def count(column: str) -> Callable[[Product], str]:
        return lambda product: whole_number(product.row.get(column))

    judged: dict[str, Any] = {"template": "cell-state.html"}
    found = [
        Column("action", "Action", "cell-action.html", str, lambda p: say(ACTION_WORDS[p.action])),
        Column("rank", "Rank", "cell-rank.html", str, lambda p: p.row["rank"] or 10**6 - (p.row["score"] or 0), number=True),
        Column("title", "Product", "cell-title.html", str, lambda p: None),
        number("price", "Price", str, template="cell-price.html"),
        number("unit_cost", "Supplier's cost", amount("unit_cost")),
        number("accept", "Pay at most", str, template="cell-accept.html", column="max_purchase_cost"),
        number("net_profit", "Net profit", amount("net_profit"), state="net_profit", **judged),
        number("net_profit_p10", "Worst tenth", amount("net_profit_p10"), state="net_profit_p10", **judged),
        number("return_rate", "Return rate", str, template="cell-returns.html"),
        Column("flags", "Flags", "cell-flags.html", str, lambda p: len(p.row["flags"] or ())),
        number("score", "Score", lambda p: "–" if p.row["score"] is None else f"{p.row['score']:.1f}", monday=False),
        plain("verdict", "Verdict", lambda p: say(VERDICT_WORDS[p.row["verdict"]])),
        plain("department", "Department", lambda p: say(DEPARTMENT_WORDS.get(p.row["department"] or "", "unknown"))),
        plain("brand", "Brand", lambda p: readable(p.row["brand"], 60) or "–"),
        number("net_margin", "Net margin", rate("net_margin"), state="net_margin", monday=False, **judged),
        number("gross_margin", "Gross margin", rate("gross_margin"), state="gross_margin", monday=False, **judged),
        number("landed_cost", "Landed cost", amount("landed_cost"), state="landed_cost", monday=False, **judged),
        number("break_even_price", "Break-even price", amount("break_even_price"), monday=False),
        number("held", "Margin held, 90 days", rate("margin_held_share"), column="margin_held_share", monday=False),
        number("hold", "Margin holds, 28 days", rate("margin_hold_probability"), column="margin_hold_probability",
               state="margin_hold_probability", monday=False, **judged),
        plain("supplier", "Supplier", lambda p: readable(p.row["supplier_id"], 40) or "–"),
        plain("backups", "Backup suppliers", lambda p: say.listed(readable(s, 40) for s in p.row["backup_suppliers"] or ()) or "–"),
        number("handling_days", "Handling days", count("handling_days"), state="handling_days", monday=False, **judged),
        number("monthly_sold", "Sold a month", count("monthly_sold"), monday=False),
    ]  # fmt: skip
    return [Column(**{**vars(column), "place": place, "css_label": _css_text(say(column.words))}) for place, column in enumerate(found, 1)]


def _css_text(words: str) -> Markup:
    """A label of ours as the inside of a CSS string."""
    return Markup("".join(c if c.isalnum() or c == " " else f"\\{ord(c):x} " for c in words))
