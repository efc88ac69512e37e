"""Write the generated parts of `docs/` again, from the code and `configs/`.

    .venv/bin/python tools/make_docs.py

A generated part is between `<!-- made: NAME -->` and `<!-- end -->`; the rest of a page is written by hand and not changed.
`tests/repository/test_docs.py` fails when a part is not what this program would write.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from pipeline.config import files, locations, plan
from pipeline.ingest.sources.schema import ColumnRule, Source, load_sources, target
from pipeline.stages.rules import limits, outcomes
from pipeline.tables import published, schemas

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
_PART = re.compile(r"(<!-- made: ([a-z_]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_SEVERITIES = ("WARN", "REVIEW", "REJECT")
# Sections of the plan in which a rule's limit may stand.
_SECTIONS = {
    "rules": plan.Rules,
    "returns": plan.Returns,
    "money.CURRENCY": plan.Money,
    "categories": plan.Categories,
    "marketplaces": plan.Marketplaces,
}
# Limits that a rule meets in an earlier stage, so that its own check does not name them.
_EARLIER = {
    "category": ["categories"],
    "return_risk": ["returns.rate_max"],
    "consider_fba": ["rules.fba_window_days"],
    "margin_hold": ["rules.net_margin_min", "money.CURRENCY.net_profit_min"],
    "decision": ["list.skip_weeks"],
}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _share(value: float) -> str:
    return f"{round(value * 100, 4):g}"


# -- rules -----------------------------------------------------------------------------------------------------------------


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _words(node: ast.AST) -> set[str]:
    """Every name, attribute and text constant below a node."""
    found: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            found.add(inner.id)
        elif isinstance(inner, ast.Attribute):
            found.add(inner.attr)
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            found.add(inner.value)
    return found


def rule_facts() -> dict[str, tuple[list[str], list[str]]]:
    """Each rule's limits (keys of the plan) and the severities it can give, read from the code of its check."""
    tree = ast.parse(Path(str(limits.__file__)).read_text(encoding="utf-8"))
    functions = _functions(tree)
    found: dict[str, tuple[list[str], list[str]]] = {}
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Rule"):
            continue
        name, *_, check = call.args
        words = _words(check)
        if isinstance(check, ast.Name):
            words |= _words(functions[check.id])
        keys = [f"{section}.{key}" for section, model in _SECTIONS.items() for key in model.model_fields if key in words]
        rule = str(ast.literal_eval(name))
        found[rule] = (keys + _EARLIER.get(rule, []), [s.lower() for s in _SEVERITIES if s in words])
    return found


def made_rules() -> str:
    """One line per rule."""
    facts = rule_facts()
    rows = []
    for rule in limits.RULES:
        keys, severities = facts[rule.id]
        rows.append((f"`{rule.id}`", rule.source, rule.asks, rule.unit, ", ".join(f"`{k}`" for k in keys) or "–", ", ".join(severities)))
    return table(("rule", "source", "asks", "unit", "keys of the plan", "can give"), rows)


# -- the plan --------------------------------------------------------------------------------------------------------------

_KEY = re.compile(r"^(?:# )?([a-z][a-z_0-9]*) = (.*?)(?:\s+# (.*))?$")
_SECTION = re.compile(r"^\[([A-Za-z_.]+)\](?:\s+# (.*))?$")


def plan_sections() -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    """Sections of the default plan: name, comment, and (key, default, comment) of each key."""
    sections: list[tuple[str, str, list[tuple[str, str, str]]]] = []
    told: list[str] = []
    in_example = False
    for line in locations.DEFAULT_PLAN.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            told, in_example = [], False
        elif head := _SECTION.match(line):
            sections.append((head[1], " ".join([*told, head[2] or ""]).strip(), []))
            told, in_example = [], False
        elif line.startswith("# ["):
            in_example = True
        elif line.startswith("#") and (in_example or not (_KEY.match(line) and sections)):
            told.append(line.lstrip("# "))
        elif key := _KEY.match(line):
            default = "none" if line.startswith("#") else f"`{key[2]}`"
            sections[-1][2].append((key[1], default, " ".join([*told, key[3] or ""]).strip()))
            told = []
    return sections


def made_plan() -> str:
    """Every key of the default plan, section by section, then those that have no default."""
    parts = []
    for name, comment, keys in plan_sections():
        parts.append(f"### `[{name}]`\n\n" + (f"{comment}\n\n" if comment else ""))
        parts.append(table(("key", "default", "comment"), [(f"`{key}`", default, words) for key, default, words in keys]) + "\n")
    return "".join(parts).rstrip("\n") + "\n"


def made_plan_optional() -> str:
    """Keys of the parts of a plan that have no default."""
    models = {
        "[suppliers.NAME]": plan.SupplierFacts,
        "[[exchange_rates]]": plan.ExchangeRate,
        "[sources.NAME]": plan.SourceFacts,
    }
    rows = [(f"`{head}`", f"`{field.alias or key}`", _type_of(field.annotation)) for head, model in models.items()
            for key, field in model.model_fields.items()]  # fmt: skip
    severities = ", ".join(f"`{word}`" for word in ("off", *outcomes.SEVERITIES[1:]))
    return table(("part", "key", "value"), [("`[severity]`", "a rule's id", f"one of {severities}"), *rows])


def _type_of(annotation: object) -> str:
    text = str(annotation)
    if "Literal" in text:
        return "one of " + ", ".join(f"`{word}`" for word in re.findall(r"'([^']+)'", text))
    for sign, words in (("bool", "true or false"), ("date", "a date"), ("int", "whole number"), ("float", "number")):
        if sign in text:
            return words
    return "text"


# -- files -----------------------------------------------------------------------------------------------------------------

_KINDS = {
    "text": "text", "id": "id, kept as text", "path": "text, segments apart by ` > `",
    "gtins": "one or several GTINs, a blank or `;` between",
    "key": "id of a person; only a hash is kept", "marketplace": "US, UK (or GB), DE ...", "currency": "three letters",
    "money": "amount, `24.99`", "cost": "amount, up to four decimals", "count": "whole number", "quantity": "whole number, not 0",
    "real": "number, not below 0", "fraction": "share from 0 to 1, or `15%`", "flag": "yes or no", "date": "`2026-11-22`",
    "timestamp": "`2026-11-22` or `2026-11-22 14:30:00`", "weight_g": "grams, or `0.4 kg`", "length_mm": "millimetres, or `12 cm`",
}  # fmt: skip


def _sources() -> dict[str, Source]:
    return {source.name: source for source in load_sources(locations.CONFIGS / "sources")}


def _cell(rule: ColumnRule) -> str:
    if rule.kind == "choice":
        return "one of " + ", ".join(f"`{word}`" for word in rule.choices)
    return _KINDS[rule.kind] + (", above 0" if rule.zero == "refuse" else "")


def made_canonical() -> str:
    """Headers of each canonical table."""
    parts = []
    for source in _sources().values():
        if not source.name.startswith("canonical-"):
            continue
        told = {column.name: column for column in schemas.DUMP_TABLES[source.table]}
        rows = []
        for name, rule in source.columns.items():
            column = told[str(target(source.table, name))]
            needed = "column and cell" if rule.required and rule.filled else "column" if rule.required else ""
            rows.append((f"`{rule.headers[0]}`", needed, _cell(rule), column.meaning))
        one_of = f"\nAnd one of {', '.join(f'`{name}`' for name in source.recognise.any)}.\n" if source.recognise.any else ""
        parts.append(f"### {source.table}\n\n" + table(("header", "needed", "holds", "meaning"), rows) + one_of + "\n")
    return "".join(parts).rstrip("\n") + "\n"


def _type(type_: pa.DataType) -> str:
    named = {published.REASONS: "list of struct", published.LIST_OF_TEXT: "list of string"}
    return named.get(type_, str(type_))


def _columns(columns: Iterable[schemas.Column]) -> str:
    rows = [(f"`{column.name}`", _type(column.type), column.unit, column.meaning) for column in columns]
    return table(("column", "type", "unit", "meaning"), rows)


def made_shortlist() -> str:
    """Columns of the list."""
    return _columns(published.SHORTLIST)


def made_decisions() -> str:
    """Columns of the ledger that the list does not have."""
    listed = {column.name for column in published.SHORTLIST}
    return _columns(column for column in published.DECISIONS if column.name not in listed)


def made_set_aside() -> str:
    """Columns of `set_aside.parquet`."""
    return _columns(schemas.SET_ASIDE)


def made_unmatched() -> str:
    """Columns of `unmatched_offers.parquet`."""
    return _columns(published.UNMATCHED_OFFERS)


def made_inside() -> str:
    """Columns of the tables between ingest and stages."""
    parts = []
    for name, columns in schemas.DUMP_TABLES.items():
        told = [column for column in columns if column not in schemas.ORIGIN]
        parts.append(f"### {name}\n\n" + _columns(told) + "\n")
    return "".join(parts).rstrip("\n") + "\n"


def made_origin() -> str:
    """Columns that every internal table has."""
    return _columns(schemas.ORIGIN)


def made_sources() -> str:
    """The sources that ship."""
    rows = [
        (f"`{source.name}`", source.table or ("left out" if source.left_out else "refused"), source.title) for source in _sources().values()
    ]
    return table(("source", "table", "what it is"), rows)


# -- fees, priors ------------------------------------------------------------------------------------------------------------


def _marketplaces() -> dict[str, dict]:
    return {
        path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted((locations.CONFIGS / "marketplaces").glob("*.toml"))
    }


def _fee_lines(code: str) -> str:
    (schedule,) = _marketplaces()[code]["schedule"]
    rows = []
    for key, line in schedule["lines"].items():
        steps = ", ".join(f"{step:g}" for step in line.get("steps", [])) or "–"
        rates = " / ".join(_share(rate) for rate in line["rates"])
        least, closing = line.get("minimum"), line.get("closing")
        money = [f"{amount:.2f}" if amount else "–" for amount in (least, closing)]
        rows.append((f"`{key}`", line["kind"], steps, rates, *money, line["mark"]))
    return table(("fee category", "kind", "steps", "rates %", "minimum", "closing fee", "mark"), rows)


def made_fees_us() -> str:
    """The American schedule."""
    return _fee_lines("us")


def made_fees_uk() -> str:
    """The British schedule, as far as it is known."""
    return _fee_lines("uk")


def made_fees_jp() -> str:
    """The Japanese schedule, as far as it is known."""
    return _fee_lines("jp")


def made_imports() -> str:
    """Duty and VAT by origin and day."""
    rows = []
    for content in _marketplaces().values():
        for entry in content.get("import", []):
            duty = f"{entry['duty_per_item']:.2f} an item" if "duty_per_item" in entry else "by product"
            limit = f"{entry['value_max']:g}" if "value_max" in entry else "–"
            origins = "any" if entry["origins"] == ["*"] else ", ".join(entry["origins"])
            days = entry.get("valid_from", "–"), entry.get("valid_to", "–")
            rows.append((content["code"], origins, *days, limit, duty, entry["vat"].replace("_", " "), entry["source"]))
    return table(("marketplace", "from", "first day", "last day", "up to", "duty", "VAT", "source"), rows)


def _cards() -> list[dict]:
    found = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted((locations.CONFIGS / "fulfilment").glob("*.toml"))]
    return [card | {"code": content["code"]} for content in found for card in content["card"]]


def made_cards() -> str:
    """Every card of fulfilment by Amazon."""
    rows = []
    for card in _cards():
        extra = "; ".join(f"{_share(e['share'])} % from {e['valid_from']} ({e['source']})" for e in card.get("surcharge", [])) or "–"
        until = card.get("valid_to", "no end known")
        rows.append((card["code"], f"`{card['id']}`", card["valid_from"], until, extra, card["mark"], card["source"]))
    return table(("marketplace", "card", "from", "to", "surcharge on the fee", "mark", "source"), rows)


def made_fba_us() -> str:
    """The newest American card."""
    card = [card for card in _cards() if card["code"] == "US"][-1]
    bounds = [f"to {bound:g}" for bound in card["bands"]] + [f"over {card['bands'][-1]:g}"]
    rows = []
    for tier in card["tier"]:
        for step in tier.get("steps", []):
            rows.append((f"`{tier['key']}`", f"to {step['to_oz']:g} oz", *(f"{fee:.2f}" for fee in step["fees"])))
        if more := tier.get("beyond"):
            words = f"{more['each_fee']:.2f} for each {more['each_oz'] / 16:g} lb over {more['over_oz'] / 16:g} lb"
            rows.append((f"`{tier['key']}`", f"plus {words}", *(f"{fee:.2f}" for fee in more["fees"])))
    return table(("tier", "weight", *bounds), rows)


def made_schedules() -> str:
    """Every marketplace with the schedule that is in its file."""
    rows = []
    for content in _marketplaces().values():
        for entry in content.get("schedule", []):
            lines = len(entry.get("lines", {})) or "none"
            until = entry.get("valid_to", "no end known")
            rows.append((content["code"], content["currency"], f"`{entry['id']}`", entry["valid_from"], until, lines,
                         f"{_share(entry['fallback_rate'])} %", entry["source"]))  # fmt: skip
        if not content.get("schedule"):
            rows.append((content["code"], content["currency"], "none", "–", "–", "–", "–", "nothing known"))
    return table(("marketplace", "currency", "schedule", "from", "to", "fee lines", "fallback", "source"), rows)


def made_priors() -> str:
    """The return priors of the plan, with their intervals."""
    from scipy.stats import beta

    rows = []
    held = files.load_plan().returns
    for name, prior in held.priors.items():
        a, b = prior.mean * prior.orders, (1 - prior.mean) * prior.orders
        low, high = beta.ppf([0.05, 0.95], a, b)
        over = beta.sf(held.rate_max, a, b)
        rows.append((f"`{name}`", f"{_share(prior.mean)} %", f"{prior.orders:g}", f"{100 * low:.1f} – {100 * high:.1f} %", f"{over:.2f}"))
    return table(("class", "mean", "strength in orders", "central 90 %", f"P(rate > {_share(held.rate_max)} %)"), rows)


_CASES = ((0, 0), (0, 25), (1, 13), (2, 60), (58, 989))


def made_return_checks() -> str:
    """Posteriors of a few counts under the plan's discount and home prior."""
    from scipy.stats import beta

    held = files.load_plan().returns
    prior = held.priors["home_kitchen"]
    a, b = prior.mean * prior.orders, (1 - prior.mean) * prior.orders
    told = [
        (f"{k} of {n}" if n else "no evidence", a + held.evidence_discount * k, b + held.evidence_discount * (n - k)) for k, n in _CASES
    ]
    told.append(("stated 5 %, no count", a + 0.05 * held.stated_rate_orders, b + 0.95 * held.stated_rate_orders))
    rows = []
    for words, alpha, beta_ in told:
        low, high = beta.ppf([0.05, 0.95], alpha, beta_)
        over = beta.sf(held.rate_max, alpha, beta_)
        rows.append((words, f"{100 * alpha / (alpha + beta_):.1f} %", f"{100 * low:.1f} – {100 * high:.1f} %", f"{over:.2f}"))
    return table(("returned of mature orders", "mean", "90 % interval", f"P(rate > {_share(held.rate_max)} %)"), rows)


PARTS: dict[str, Callable[[], str]] = {
    name.removeprefix("made_"): made for name, made in list(globals().items()) if name.startswith("made_")
}


def renewed(text: str) -> str:
    """A page with its generated parts written again; raises `KeyError` for an unknown part."""
    return _PART.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}{found[3]}", text)


def main() -> None:
    """Write every page that changes, and print its name."""
    for path in sorted(DOCS.rglob("*.md")):
        old = path.read_text(encoding="utf-8")
        new = renewed(old)
        if new != old:
            path.write_text(new, encoding="utf-8")
            sys.stdout.write(f"wrote {path.relative_to(ROOT).as_posix()}\n")


if __name__ == "__main__":
    main()
