"""`shortlist.xlsx`: the list and its worklists for a person with a spreadsheet, with columns for the seller's own decisions and notes.

No formula is written and no text becomes one; values are those of the Parquet files. `decide --from` reads the decisions back.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from pipeline.messages import Words
from pipeline.messages.columns import COLUMN_WORDS
from pipeline.messages.rules import ACTION_WORDS, DECISIONS, VERDICT_WORDS
from pipeline.messages.workbook import JUDGED, OWN_COLUMNS, SHEETS
from pipeline.publish.tables.price_series import SERIES_DAYS
from pipeline.publish.text.formatting import readable
from pipeline.publish.view.run_view import Page, Product
from pipeline.publish.view.sentences import Sentences
from pipeline.tables.published import DECISIONS as LEDGER

_CREATED = dt.datetime(2020, 1, 1)  # fixed, so that the same run gives the same bytes
_TEXT_MOST = 32_000  # Excel takes 32,767 characters in a cell
_LINKS_MOST, _LINK_LENGTH_MOST = 60_000, 2_000  # Excel takes 65,530 links in a sheet, each of 2,079 characters
_SPARK_STEPS = 26  # prices of a sparkline: one a week
_MONEY = {
    "USD": "[$$-409]#,##0.00", "GBP": "[$£-809]#,##0.00", "EUR": "[$€-2]#,##0.00", "JPY": "[$¥-411]#,##0", "CNY": "[$¥-804]#,##0.00",
}  # fmt: skip
_UNITS = {column.name: column.unit for column in LEDGER}
_HEAD = ["rank", "product_id", "title", "marketplace"]
_FIXED = 3  # columns that stay while one scrolls
# Columns of the list after the seller's own, in the order in which one argues with them.
_LIST = [
    "price", "unit_cost", "max_purchase_cost", "net_profit", "net_profit_p10", "net_profit_p90", "net_profit_expected", "return_rate",
    "return_rate_low", "return_rate_high", "return_evidence", "return_orders", "flags", "score", "supplier_id", "backup_suppliers",
    "net_margin", "gross_margin", "gross_margin_goods", "gross_margin_all", "landed_cost", "landed_share", "margin_held_share",
    "margin_hold_probability", "break_even_price", "max_landed_cost", "freight", "duty", "shipping_cost", "referral_fee", "closing_fee",
    "refund_fee", "advertising_cost", "payment_cost", "expected_return_loss", "cash_lost_per_return", "gate_price", "currency",
    "handling_days", "late_probability", "monthly_sold", "brand", "category_path", "department", "score_margin", "score_stability",
    "score_returns", "score_supply", "score_demand", "score_coverage", "price_evidence", "return_over_limit_probability", "fee_category",
    "fee_schedule", "fulfilment_advice",
]  # fmt: skip
_SHORT = ["price", "unit_cost", "landed_cost", "max_landed_cost", "net_profit", "net_profit_p10", "return_rate", "supplier_id", "flags"]
_SOURCE = ["price", "max_purchase_cost", "max_purchase_cost_cny", "max_landed_cost", "monthly_sold", "referral_fee", "return_rate", "flags"]
_WIDTHS = {
    "title": 44,
    "flags": 34,
    "category_path": 30,
    "backup_suppliers": 18,
    "product_id": 14,
    "rank": 6,
    "marketplace": 8,
    "words": 60,
}
_BARS = ("score", "net_profit")


def write_workbook(page: Page) -> bytes:
    """The workbook's bytes; the same run gives the same ones."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        book.set_properties({"title": f"shortlist {page.manifest['week']}", "created": _CREATED})
        _Writer(page, book).write()
    return buffer.getvalue()


class _Writer:
    """The workbook while it is written."""

    def __init__(self, page: Page, book: xlsxwriter.Workbook) -> None:
        self.page, self.book = page, book
        self.say = Words(page.run.language)
        self.told = Sentences(self.say, page.digits)
        self.products = {product.key: product for group in page.products.values() for product in group}
        self.formats: dict[str, Format] = {}
        self.links = 0

    def write(self) -> None:
        """All sheets in their order."""
        shown = {kind: [product.row for product in group] for kind, group in self.page.products.items()}
        failing = [row for row in shown.get("live", []) if row["verdict"] in ("rejected", "review", "incomplete")]
        own = [name for name, *_ in OWN_COLUMNS]
        listed = self.page.shortlist.to_pylist()
        # A table's columns: names of published columns, of the seller's own, or of words made here.
        self._table("list", [*_HEAD, "change", *own, "spark", *_LIST], listed, fixed=_FIXED)
        self._table("live", [*_HEAD[1:], *own, "verdict", "failing", "since", *_SHORT], failing)
        self._table("review", [*_HEAD[1:], *own, "failing", *_SHORT], shown.get("review", []), asked=True)
        self._table("source", [*_HEAD[1:], *own, *_SOURCE], shown.get("source", []))
        self._table("miss", [*_HEAD[1:], *own, "miss", *_SHORT], shown.get("miss", []))
        self._reasons()
        self._facts()

    def _table(self, sheet: str, names: Sequence[str], rows: Sequence[Mapping[str, Any]], *, asked: bool = False, fixed: int = 2) -> None:
        page = self.book.add_worksheet(self.say(SHEETS[sheet]))
        top = self._questions(page) if asked else 0
        own = {name: (words, kind, width) for name, words, kind, width in OWN_COLUMNS}
        for place, name in enumerate(names):
            words, width = (own[name][0], own[name][2]) if name in own else (_HEADINGS.get(name) or COLUMN_WORDS[name], _width(name))
            page.set_column(place, place, width)
            page.write_string(top, place, self.say(words), self._format("own head" if name in own else "head"))
        for line, row in enumerate(rows, top + 1):
            for place, name in enumerate(names):
                self._cell(page, line, place, name, row)
        last = max(top + len(rows), top + 1)
        page.freeze_panes(0 if asked else top + 1, fixed)
        page.autofilter(top, 0, last, len(names) - 1)
        self._choices(page, names, top, last)
        for name in _BARS:
            if name in names and rows:
                place = names.index(name)
                page.conditional_format(top + 1, place, last, place, {"type": "data_bar", "bar_solid": True, "bar_color": "#9DC3E6"})
        if "spark" in names:
            self._sparks(page, names.index("spark"), rows)
        page.set_landscape()
        page.fit_to_pages(1, 0)
        page.repeat_rows(top)

    def _choices(self, page: Worksheet, names: Sequence[str], top: int, last: int) -> None:
        words = [self._decision(word) for word in DECISIONS]
        place = names.index("decision")
        page.data_validation(top + 1, place, last, place, {
            "validate": "list", "source": words, "ignore_blank": True, "input_title": self.say("Your decision"),
            "input_message": self.say("Pick one, or leave it empty."),
            "error_message": self.say("one of {words}", words=self.say.listed(words)),
        })  # fmt: skip

    def _decision(self, word: str) -> str:
        return self.say(ACTION_WORDS[word]) if self.say.language != "en" else word

    def _cell(self, page: Worksheet, line: int, place: int, name: str, row: Mapping[str, Any]) -> None:
        own = next((kind for own_name, _, kind, _ in OWN_COLUMNS if own_name == name), None)
        value = self._own(row, name) if own else self._value(row, name)
        kind = own or _kind(name)
        if value is None or value == "":
            page.write_blank(line, place, None, self._format(f"{kind} blank" if own else "text"))
        elif kind == "date":
            page.write_datetime(line, place, dt.datetime(value.year, value.month, value.day), self._format("date"))
        elif kind == "link" and self.links < _LINKS_MOST and len(str(row.get("url") or "")) in range(9, _LINK_LENGTH_MOST):
            self.links += 1
            page.write_url(line, place, row["url"], self._format("link"), _text(value))
        elif isinstance(value, str):
            page.write_string(line, place, _text(value), self._format("entry" if own else "text"))
        else:
            currency = "CNY" if name.endswith("_cny") else row.get("currency") or ""
            page.write_number(line, place, value, self._format(f"money {currency}" if kind == "money" else kind))

    def _own(self, row: Mapping[str, Any], name: str) -> Any:
        held = self.page.notes.get((row["marketplace"], row["product_id"]), {})
        if name == "decision":
            return self._decision(held["decision"]) if held.get("decision") in ACTION_WORDS else held.get("decision")
        if name == "quoted_cost":
            cents = held.get("quoted_cost_cents")
            return None if cents is None else cents / 10 ** self.page.digits.get(row.get("currency") or "", 2)
        return held.get(name)

    def _value(self, row: Mapping[str, Any], name: str) -> Any:
        if name in _HEADINGS:
            return self._words(name, self.products.get((row["marketplace"], row["product_id"])))
        value = row.get(name)
        if name == "flags":
            return self.say.listed(self.told.flag(flag) for flag in value or ())
        return self.say.listed(value or ()) if isinstance(value, list) else value

    def _words(self, name: str, product: Product | None) -> Any:
        if product is None:  # below the head of the list that is looked at closely
            return None
        if name == "verdict":
            return self.say(VERDICT_WORDS[product.row["verdict"]])
        if name == "change":
            return self.say("new") if product.is_new else None if product.was is None else product.was - product.row["rank"]
        makers = {"failing": self.told.failing, "since": self.told.since_last, "miss": self.told.miss}
        return makers[name](product) if name in makers else None

    def _sparks(self, page: Worksheet, place: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Weekly prices in a hidden sheet, drawn beside each product."""
        hidden = self.book.add_worksheet(self.say("Prices"))
        hidden.hide()
        for line, row in enumerate(rows, 1):
            product = self.products.get((row["marketplace"], row["product_id"]))
            weekly = _weekly(product, self.page.as_of) if product is not None else []
            if not any(price is not None for price in weekly):
                continue
            for week, price in enumerate(weekly):
                if price is not None:
                    hidden.write_number(line, week, price)
            where = f"'{hidden.get_name()}'!A{line + 1}:{chr(ord('A') + _SPARK_STEPS - 1)}{line + 1}"
            page.add_sparkline(line, place, {"range": where, "series_color": "#2F6DB3", "show_hidden": True})

    def _questions(self, page: Worksheet) -> int:
        """Suppliers to ask, once each, above the review queue; returns the row at which that begins."""
        asked = self.page.manifest["questions"]
        for place, words in enumerate(("Supplier", "Products waiting", "Ask")):
            page.write_string(0, place, self.say(words), self._format("head"))
        for line, entry in enumerate(asked, 1):
            page.write_string(line, 0, _text(entry["supplier_id"]), self._format("text"))
            page.write_number(line, 1, entry["products"], self._format("count"))
            page.write_string(line, 2, _text(self.say.listed(self.say.found(ask) for ask in entry["asks"])), self._format("text"))
        return len(asked) + 2

    def _reasons(self) -> None:
        page = self.book.add_worksheet(self.say(SHEETS["reasons"]))
        for place, (words, width) in enumerate((("Rule", 30), ("Severity", 12), ("Candidates", 12), ("This alone", 12))):
            page.set_column(place, place, width)
            page.write_string(0, place, self.say(words), self._format("head"))
        entries = self.page.manifest["reasons"]
        for line, entry in enumerate(entries, 1):
            page.write_string(line, 0, self.told.rule_name(entry["rule"]), self._format("text"))
            page.write_string(line, 1, self.told.severity(entry["severity"]), self._format("text"))
            page.write_number(line, 2, entry["count"], self._format("count"))
            page.write_number(line, 3, entry["alone"], self._format("count"))
        page.freeze_panes(1, 1)
        page.autofilter(0, 0, max(len(entries), 1), 3)

    def _facts(self) -> None:
        m, page = self.page.manifest, self.book.add_worksheet(self.say(SHEETS["run"]))
        page.set_column(0, 0, 28)
        page.set_column(1, 1, 80)
        facts: list[tuple[str, Any]] = [
            ("Week", m["week"]), (JUDGED, m["as_of"]), ("Dump", readable(m["dump"], 200)), ("Run", m["run_id"]), ("Plan", m["plan_sha256"]),
            *((VERDICT_WORDS[word], m["verdicts"][word]) for word in VERDICT_WORDS),
            *((f"{entry['marketplace']}", entry["id"]) for entry in m["fee_schedules"]),
            *((name, version) for name, version in m["versions"].items()),
        ]  # fmt: skip
        if m["sample"]:
            facts.insert(0, ("Sample.", self.say("An invented market; nothing in it can be bought.")))
        rows = [(self.say(words), value) for words, value in facts]
        rows += [(_text(entry["file"]), entry["rows"]) for entry in m["inputs"]]
        rows += [("", self.say(
            "{words}: type only in the coloured columns, then run: shortlist decide --from shortlist.xlsx", words=self.say("Your decisions")
        ))]  # fmt: skip
        for line, (words, value) in enumerate(rows):
            page.write_string(line, 0, words, self._format("text"))
            if isinstance(value, int):
                page.write_number(line, 1, value, self._format("count"))
            else:
                page.write_string(line, 1, str(value), self._format("text"))

    def _format(self, kind: str) -> Format:
        if kind not in self.formats:
            self.formats[kind] = self.book.add_format({"valign": "top", **_look(kind)})
        return self.formats[kind]


# Columns whose words are made here.
_HEADINGS = {
    "change": "Rank change", "spark": "Price, 180 days", "verdict": "Verdict", "failing": "Why it fails", "since": "What changed",
    "miss": "What would let it pass",
}  # fmt: skip


def _look(kind: str) -> dict[str, Any]:
    own = {"bg_color": "#FFF8E1"}
    if kind.startswith("money") and kind != "money blank":
        return {"num_format": _MONEY.get(kind.removeprefix("money "), "#,##0.00")}
    looks: dict[str, dict[str, Any]] = {
        "head": {"bold": True, "text_wrap": True, "bg_color": "#DCE6F1", "bottom": 1},
        "own head": {"bold": True, "text_wrap": True, "bg_color": "#FFE699", "bottom": 1},
        "entry": {**own, "num_format": "@"}, "entry blank": {**own, "num_format": "@"}, "money blank": {**own, "num_format": "#,##0.00"},
        "date": {**own, "num_format": "yyyy-mm-dd"}, "date blank": {**own, "num_format": "yyyy-mm-dd"},
        "share": {"num_format": "0.0%"}, "points": {"num_format": "0.0"}, "count": {"num_format": "#,##0"},
        "link": {"font_color": "#0B5CAD", "underline": 1}, "text": {},
    }  # fmt: skip
    return looks[kind]


def _kind(name: str) -> str:
    unit = _UNITS.get(name, "")
    if name == "product_id":
        return "link"
    if unit.startswith("currency"):
        return "money"
    if unit.startswith(("fraction", "expected fraction", "probability")):
        return "share"
    return "points" if unit.startswith("points") else "count"


def _width(name: str) -> int:
    return _WIDTHS.get(name) or (_WIDTHS["words"] if name in ("failing", "miss", "since") else 18 if name == "spark" else 11)


def _text(value: object) -> str:
    reported = str(value)
    return readable(reported if len(reported) <= _TEXT_MOST else reported[:_TEXT_MOST] + "… [shortlist.parquet]")


def _weekly(product: Product, as_of: dt.date) -> list[float | None]:
    """The price in force at the end of each of the last weeks; None where unknown or out of stock."""
    dates, prices = product.series
    step = SERIES_DAYS / _SPARK_STEPS
    ends = [as_of - dt.timedelta(days=round(step * back)) for back in range(_SPARK_STEPS - 1, -1, -1)]
    return [next((price for day, price in zip(reversed(dates), reversed(prices), strict=True) if day <= end), None) for end in ends]
