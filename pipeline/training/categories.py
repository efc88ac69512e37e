"""`shortlist train --categories`: fit the text model for listings without a known category, from labelled rows and taxonomies."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.files import load_configs, read_toml
from pipeline.config.locations import CONFIGS
from pipeline.errors import DumpError, NothingToDo
from pipeline.ingest.labelled_listings import read_labels, read_taxonomy
from pipeline.ingest.seller_decisions import read_decisions_csv
from pipeline.messages import Words
from pipeline.stages.categories.gate import DEPARTMENTS, compile_rules
from pipeline.stages.categories.paths import PathReader
from pipeline.stages.categories.rule_tables import CategoryRules
from pipeline.stages.categories.text_model import MODEL_DEPARTMENTS
from pipeline.stages.categories.title_scan import TitleScanner
from pipeline.store.data_folder import DataFolder
from pipeline.store.files import file_digest
from pipeline.store.model_files import Trained, keep_model, packed
from pipeline.training.category_fit import Labelled, branches, fit_categories, merge

LABELS = "category_labels.csv"
DECISIONS = "decisions.csv"


@dataclass(frozen=True)
class CategoryOptions:
    """What the command was asked: without label files, those of the data folder are read."""

    data: Path
    labels: tuple[Path, ...] = ()
    taxonomies: tuple[Path, ...] = ()
    dry_run: bool = False


def train_categories(options: CategoryOptions) -> Trained:
    """Fit the model, and keep it unless it is a dry run.

    Raises
    ------
    NothingToDo
        Neither labels nor a taxonomy, or no department beside `other` among them.
    DumpError
        A file cannot be read as what it should be.
    """
    data = DataFolder(options.data)
    own = options.data / LABELS
    files = options.labels or ((own,) if own.is_file() else ())
    rules, decisions = compile_rules(load_configs().category_tables), options.data / DECISIONS
    decided = _decided(decisions, rules)
    if not files and not options.taxonomies and not len(decided):
        raise NothingToDo(f"nothing to learn from; put labelled rows into {own} (title, department), or name a --taxonomy file")
    parts = [_labels(path, rules) for path in files] + [_taxonomy(path, rules) for path in options.taxonomies]
    labelled = merge(decided, *parts)
    try:
        model, card = fit_categories(labelled)
    except ValueError as error:
        raise NothingToDo(f"too little to learn from: {error}") from None
    read = (*files, *options.taxonomies, *((decisions,) if len(decided) else ()))
    digests = {path.name: file_digest(path)[1] for path in read}
    trained = Trained(
        "categories",
        packed("categories", model),
        {**card, "files": digests, "rules_version": rules.digest},
        functools.partial(_lines, card),
    )
    if not options.dry_run:
        with data.lock():
            keep_model(data, trained)
    return trained


def _labels(path: Path, rules: CategoryRules) -> Labelled:
    scanner = TitleScanner(rules.lexicon, rules.brands)
    rows = [row for row in read_labels(path) if row["title"]]
    for row in rows:
        if row["department"] not in DEPARTMENTS:
            raise DumpError(f"{path.name}: department {row['department']!r} is none of {', '.join(DEPARTMENTS)}")
    rows = [row for row in rows if row["department"] != "unknown"]
    texts = tuple(row["title"] for row in rows)
    return Labelled(
        texts=texts,
        labels=tuple(row["department"] if row["department"] in MODEL_DEPARTMENTS else "other" for row in rows),
        sources=tuple(row["source"] or path.name for row in rows),
        is_path=(False,) * len(rows),
        is_caught=scanner.catches(texts),
    )


def _decided(path: Path, rules: CategoryRules) -> Labelled:
    """Titles of the seller's own category decisions.

    What was let pass is none of the restricted departments, unless its path says that it is one: then the seller may sell it all the
    same. What was rejected is of the one restricted department that its path, else its title, names; where none or two are named, the
    decision does not say which, and is not used for training.
    """
    _, rows = read_decisions_csv(path)
    rows = [row for row in rows if row.get("title", "").strip() and row["decision"].strip() in ("category_pass", "category_reject")]
    texts = [row["title"].strip() for row in rows]
    reader, scanner = PathReader(rules), TitleScanner(rules.lexicon, rules.brands)
    places, found = scanner.scan(texts)
    kept = []
    for row, text, place in zip(rows, texts, places.tolist(), strict=True):
        of_path = reader.read(row.get("category_path")).department
        named = {word.department for word in found[place].words} & set(MODEL_DEPARTMENTS[1:])
        if row["decision"].strip() == "category_pass":
            label = "other" if of_path not in MODEL_DEPARTMENTS[1:] else ""
        else:
            label = of_path if of_path in MODEL_DEPARTMENTS[1:] else named.pop() if len(named) == 1 else ""
        if label:
            kept.append((text, label))
    titles, labels = (tuple(column) for column in zip(*kept, strict=True)) if kept else ((), ())
    return Labelled(titles, labels, (path.name,) * len(kept), (False,) * len(kept), scanner.catches(titles))


def _taxonomy(path: Path, rules: CategoryRules) -> Labelled:
    reader = PathReader(rules)
    kind, categories = read_taxonomy(path)

    def stops(text: str) -> bool:
        return reader.read(f"Foreign tree > {text}").department in MODEL_DEPARTMENTS[1:]

    return branches(read_toml(CONFIGS / "taxonomy.toml")["branch"], categories, kind, stops)


def _lines(card: dict[str, Any], say: Words) -> list[str]:
    labels = say.listed(f"{name} {count:,}" for name, count in card["labels"].items())
    lines = [say("category model from {rows:,} texts ({labels})", rows=card["rows"], labels=labels)]
    message = "a title passes below {title}, a foreign path below {path}; rejected from {reject} on"
    lines.append(say(message, title=card["title_pass_below"], path=card["path_pass_below"], reject=card["reject_above"]))
    if not card["title_pass_below"]:
        lines.append(say("too few labelled titles: none passes by the model"))
    lines.append(say("measured on sources the fit has not seen:"))
    message = (
        "  {source} restricted {restricted}, not passed {stopped}; others {clean}, not passed {clean_stopped}, rejected {clean_rejected}"
    )
    for source, one in card["held_out"].items():
        shares = {"stopped": "restricted_not_passed", "clean_stopped": "clean_not_passed", "clean_rejected": "clean_rejected"}
        counts = {name: f"{one[name]:>6,}" for name in ("restricted", "clean")}
        lines.append(say(message, source=f"{source:<28}", **counts, **{name: _share(one[key]) for name, key in shares.items()}))
    return lines


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
