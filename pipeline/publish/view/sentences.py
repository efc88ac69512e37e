"""Facts of a product as sentences and short words in the requested language, shared by report, workbook and terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.messages import ENGLISH, Words
from pipeline.messages.rules import FACT_NAMES, RULE_NAMES, SEVERITY_WORDS
from pipeline.publish.text.diff import Change
from pipeline.publish.text.formatting import figure, money, padded, readable, share, whole_number
from pipeline.publish.text.limit_states import RuleLine
from pipeline.publish.view.run_view import Product, would_pass

PART_WORDS = {"margin": "margin", "stability": "stability", "returns": "returns", "supply": "supply", "demand": "demand"}
FACT_WORDS = {"price": "price", "landed_cost": "landed cost"}


@dataclass(frozen=True)
class Sentences:
    """Says facts of products in one language."""

    say: Words
    digits: Mapping[str, int]

    def money(self, product: Product, column: str) -> str:
        """A money column in the row's currency."""
        return money(product.row.get(column), product.row.get("currency"), self.digits)

    def yuan(self, product: Product, column: str) -> str:
        """A money column that is in yuan."""
        return money(product.row.get(column), "CNY", self.digits)

    def amount(self, product: Product, value: float | None) -> str:
        """An amount in the row's currency."""
        return money(value, product.row.get("currency"), self.digits)

    def rule_name(self, rule: str) -> str:
        """A rule's short name."""
        return self.say(RULE_NAMES[rule]) if rule in RULE_NAMES else rule

    def flag(self, flag: str) -> str:
        """A flag in words: an assumption, or a rule that warns."""
        return self.rule_name(flag)

    def evidence(self, product: Product) -> str:
        """What stands behind the return rate, shortly."""
        row = product.row
        orders = row.get("return_orders") or 0
        words = {
            "E0": self.say("category only"),
            "E1": self.say("a badge"),
            "E2": self.say("a stated rate"),
            "E3": self.say("{n:,} orders, a tool's", n=orders),
            "E4": self.say("{n:,} own orders", n=orders),
        }
        return words.get(row.get("return_evidence") or "", self.say("unknown"))

    def why(self, product: Product) -> str:
        """One sentence: why this product is where it is."""
        row = product.row
        if row["verdict"] == "rejected":
            return self.say("Rejected: {reasons}.", reasons=self.failing(product))
        if row["verdict"] == "incomplete":
            return self.say("Incomplete: {facts} missing.", facts=self.say.listed(self.fact(f) for f in row["missing"]))
        if row["net_profit"] is None:
            return self.say("Its profit is not known.")
        sentences = self.say(
            "Earns {net} on an order at today's price and {low} in the worst tenth of cases; {held} of the last 90 days the margin held; "
            "{rate} come back ({low_rate} to {high_rate}, {evidence}).",
            net=self.money(product, "net_profit"),
            low=self.money(product, "net_profit_p10"),
            held=share(row["margin_held_share"], 0),
            rate=share(row["return_rate"]),
            low_rate=share(row["return_rate_low"]),
            high_rate=share(row["return_rate_high"]),
            evidence=self.evidence(product),
        )
        if row["verdict"] == "review":
            sentences += " " + self.say("A person must look first: {reasons}.", reasons=self.failing(product))
        return sentences

    def failing(self, product: Product) -> str:
        """The rules that decide the verdict, with their figures."""
        worst = {"rejected": ("reject",), "review": ("review",)}.get(product.row["verdict"], ("reject", "review"))
        sentences = [self.line(product, line) for line in product.lines if line.severity in worst]
        return self.say("; ").join(sentences) or self.say.listed(self.fact(f) for f in product.row.get("missing") or ())

    def line(self, product: Product, line: RuleLine) -> str:
        """A rule with its value and limit."""
        figures = self.figures(product, line)
        return f"{self.rule_name(line.rule)} ({figures})" if figures else self.rule_name(line.rule)

    def figures(self, product: Product, line: RuleLine) -> str:
        """The value against the limit, or the detail of a rule without a scale."""
        if line.unit == "yes/no" or (line.detail and line.observed in (0.0, 1.0) and not line.limit):
            return readable(self.say.found(line.detail), 200) if line.detail else ""
        currency = product.row.get("currency")
        sentences = self.say(
            "{value}, limit {limit}",
            value=figure(line.observed, line.unit, currency, self.digits),
            limit=figure(line.limit, line.unit, currency, self.digits),
        )
        return sentences + (f"; {readable(self.say.found(line.detail), 200)}" if line.detail else "")

    def fact(self, fact: str) -> str:
        """A missing fact in words."""
        return self.say(FACT_NAMES[fact]) if fact in FACT_NAMES else fact

    def miss(self, product: Product) -> str:
        """What would have to be otherwise for a rejected product to pass."""
        kind, held = would_pass(product)
        currency = product.row.get("currency")
        if kind == "cost":
            sentences = self.say(
                "would pass at {cost} landed cost, now {now}",
                cost=money(held["cost"], currency, self.digits), now=money(held["now"], currency, self.digits),
            )  # fmt: skip
        elif kind == "price":
            sentences = self.say(
                "would pass at a price of {price}, now {now}",
                price=money(held["price"], currency, self.digits), now=money(held["now"], currency, self.digits),
            )  # fmt: skip
        else:
            sentences = self.line(product, held["line"])
        also = [self.rule_name(line.rule) for line in product.lines if line.severity == "review"]
        return sentences + (self.say("; then to look at: {rules}", rules=self.say.listed(also)) if also else "")

    def source(self, product: Product) -> str:
        """What a sourcing candidate sells, and the most to pay for it."""
        row = product.row
        most = self.money(product, "max_purchase_cost")
        yuan = f" ({money(row['max_purchase_cost_cny'], 'CNY', self.digits)})" if row.get("max_purchase_cost_cny") is not None else ""
        sold = self.say("{n} sold a month", n=whole_number(row["monthly_sold"])) if row.get("monthly_sold") else self.say("sales unknown")
        return self.say("pay at most {most}; {sold}; sells at {price}", most=most + yuan, sold=sold, price=self.money(product, "price"))

    def since_last(self, product: Product) -> str:
        """What changed of a live listing since the last list."""
        then, now = product.then, product.row
        if then is None:
            return self.say("no earlier list holds it")
        sentences = [
            self.say(
                "{fact} {old} → {new}", fact=self.say(words), old=money(then[column], now.get("currency"), self.digits),
                new=self.money(product, column),
            )
            for column, words in FACT_WORDS.items() if then[column] != now.get(column)
        ]  # fmt: skip
        if then["supplier_id"] != now.get("supplier_id"):
            gone = now.get("supplier_id") or self.say("none")
            sentences.append(self.say("supplier {old} → {new}", old=then["supplier_id"] or self.say("none"), new=gone))
        return self.say("; ").join(sentences) or self.say("nothing it rests on")

    def change_ranks(self, change: Change) -> str:
        """Ranks before and after."""
        return f"{change.before or '–'} → {change.after or '–'}"

    def change_why(self, change: Change) -> str:
        """Why a product entered, left or moved."""
        return self.say("; ").join(self._because(kind, held) for kind, held in change.why)

    def _because(self, kind: str, held: Mapping[str, Any]) -> str:
        if kind == "part":
            return self.say("{part} {points:+.1f} points", part=self.say(PART_WORDS[held["part"]]), points=held["points"])
        if kind == "fact":
            old, new = (money(held[side], held["currency"], self.digits) for side in ("old", "new"))
            return self.say("{fact} {old} → {new}", fact=self.say(FACT_WORDS[held["fact"]]), old=old, new=new)
        if kind == "supplier":
            return self.say("supplier {old} → {new}", old=held["old"] or self.say("none"), new=held["new"] or self.say("none"))
        if "reasons" in held:
            return self.say(_BECAUSE[kind], rules=self.say.listed(self.rule_name(reason["rule"]) for reason in held["reasons"]))
        if "facts" in held:
            return self.say(_BECAUSE[kind], facts=self.say.listed(self.fact(f) for f in held["facts"]))
        if "by" in held:
            return self.say(_BECAUSE[kind], by=readable(self.say.found(held["by"]), 120))
        return self.say(_BECAUSE[kind])

    def severity(self, severity: str) -> str:
        """A rule's severity in words."""
        return self.say(SEVERITY_WORDS[severity])


def diff_lines(before: str, after: str, changes: Sequence[Change], digits: Mapping[str, int], say: Words = ENGLISH) -> list[str]:
    """The changes from one week's list to another's for a terminal."""
    sentences = Sentences(say, digits)
    counts = {kind: sum(change.kind == kind for change in changes) for kind, _ in CHANGE_KINDS}
    lines = [say("{before} → {after}: {entered:,} entered, {left:,} left, {moved:,} moved", before=before, after=after, **counts)]
    for kind, words in CHANGE_KINDS:
        found = [change for change in changes if change.kind == kind]
        if found:
            lines += ["", say(words)]
        for change in found:
            title = padded(readable(change.title, 38).ljust(1), 40)
            lines.append(
                f"  {change.before or '–':>4} → {change.after or '–':<4} {change.product_id:<12} {title} {sentences.change_why(change)}"
            )
    return [*lines, "", say("next: `shortlist explain PRODUCT_ID --week {week}` tells every rule of one product", week=after)]


CHANGE_KINDS = (("entered", "Entered"), ("left", "Left"), ("moved", "Moved"))
_BECAUSE = {
    "absent before": "new among the candidates",
    "absent after": "no longer among the candidates",
    "rejected before": "was rejected: {rules}",
    "rejected after": "now rejected: {rules}",
    "review before": "waited for a look: {rules}",
    "review after": "now waits for a look: {rules}",
    "incomplete before": "was incomplete: {facts}",
    "incomplete after": "now incomplete: {facts}",
    "hidden before": "was hidden: {by}",
    "hidden after": "now hidden: {by}",
    "displaced before": "was displaced by {by}",
    "displaced after": "displaced by {by}",
    "below the cut before": "was below the cut",
    "below the cut after": "now below the cut",
    "others moved": "others moved around it",
}
