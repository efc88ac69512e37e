"""The facts beside the charts in an opened row of the report."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config.plan import Plan
from pipeline.publish.report import charts
from pipeline.publish.text.formatting import readable, share, whole_number
from pipeline.publish.view.run_view import Product
from pipeline.publish.view.sentences import Sentences


@dataclass(frozen=True)
class Fact:
    """One fact of the evidence, drawn as an interval where it is one."""

    words: str
    value: str
    range: charts.Range | None = None


def product_facts(plan: Plan, sentences: Sentences, product: Product) -> list[Fact]:
    """The facts beside the charts."""
    row, say = product.row, sentences.say
    yes = {True: say("yes"), False: say("no"), None: say("unknown")}
    margins = (
        f"{share(row['net_margin'])} · {share(row['gross_margin'])} · {share(row['gross_margin_goods'])} · {share(row['gross_margin_all'])}"
    )
    backups = say.listed(readable(s, 40) for s in row["backup_suppliers"] or ()) or say("none")
    money_plan = plan.money.get(row["currency"] or "")
    least = money_plan.net_profit_min if money_plan is not None else 0.0
    low, high = (sentences.money(product, name) for name in ("net_profit_p10", "net_profit_p90"))
    return_range = f"{share(row['return_rate_low'])} – {share(row['return_rate_high'])}"
    profit = charts.interval(row["net_profit_p10"], row["net_profit_expected"], row["net_profit_p90"], least)
    returned = charts.interval(row["return_rate_low"], row["return_rate"], row["return_rate_high"], plan.returns.rate_max)
    return [
        Fact(say("Net profit, expected (worst to best tenth)"),
             f"{sentences.money(product, 'net_profit_expected')} ({low} – {high})",
             profit),
        Fact(say("Return rate (90% interval), evidence"),
             f"{share(row['return_rate'])} ({return_range}), {sentences.evidence(product)}",
             returned),
        Fact(say("Margin: net · gross · goods only · all lines"), margins),
        Fact(say("Margin held, last 90 days · next 28 (forecast)"),
             f"{share(row['margin_held_share'])} · {share(row['margin_hold_probability'])}"),
        Fact(say("Breaks even at · landed cost at most"),
             f"{sentences.money(product, 'break_even_price')} · {sentences.money(product, 'max_landed_cost')}"),
        Fact(say("One return costs"), sentences.money(product, "cash_lost_per_return")),
        Fact(say("Supplier · backups"), f"{readable(row['supplier_id'], 40) or say('none')} · {backups}"),
        Fact(say("Ships within · late"), f"{say('{n} days', n=whole_number(row['handling_days']))} · {share(row['late_probability'])}"),
        Fact(say("Tracking · returns accepted"), f"{yes[row['has_tracking']]} · {yes[row['accepts_returns']]}"),
        Fact(say("Category"), readable(row["category_path"], 160) or "–"),
        Fact(say("Brand"), readable(row["brand"], 60) or "–"),
        Fact(say("Fees"), f"{row['fee_schedule'] or '–'}, {row['fee_category'] or '–'}"),
        Fact(say("From"), f"{readable(row['file'], 80)}:{row['line']}"),
    ]  # fmt: skip
