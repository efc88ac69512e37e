"""The documentation says what the program does: generated parts are current, links lead somewhere, commands exist."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path

import click
import make_docs
import pytest

from pipeline import errors
from pipeline.cli import shortlist
from pipeline.config.files import load_plan
from pipeline.ingest.dump import DumpFile, read_file
from pipeline.ingest.sources.schema import ColumnRule, FileForm, HistoryRule, NonProduct, NonRecord, Recognise, Source, load_sources
from pipeline.runs.read_task import read_context
from pipeline.stages.rules import limits

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
NAMES = [page.relative_to(DOCS).as_posix() for page in PAGES]
# Pages for readers outside docs/, held to the same: links, commands, no place on somebody's machine.
EVERY_PAGE = [
    *PAGES,
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "data/README.md", "tests/README.md", "benchmarks/README.md")),
]
EVERY_NAME = [page.relative_to(ROOT).as_posix() for page in EVERY_PAGE]
LINK = re.compile(r"\]\(([^)\s]+)\)")
# `shortlist ...` in running text, or a line of a block that begins with it; file names such as shortlist.toml are no command.
SPAN = re.compile(r"`(?:\.venv/bin/)?(shortlist(?: [^`]+)?)`")
LINE = re.compile(r"^    (?:\.venv/bin/)?(shortlist [^\n]+)$", re.MULTILINE)
# The name of a page in a comment of the program, and the section that it may point to.
MENTION = re.compile(r"docs/([\w./-]+\.md)`?(?: section (\d+))?")


def shown_commands():
    for page, name in zip(EVERY_PAGE, EVERY_NAME, strict=True):
        text = page.read_text(encoding="utf-8")
        for found in [*SPAN.finditer(text), *LINE.finditer(text)]:
            words = found[1].replace("...", "").strip()
            if words != "shortlist":
                yield pytest.param(words, id=f"{name}: {words}")


def slug(heading: str) -> str:
    """The anchor that a heading gets: lower case, blanks as hyphens, other signs dropped."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def headings(page: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_generated_parts_are_what_the_program_says_today(page):
    text = page.read_text(encoding="utf-8")
    assert make_docs.renewed(text) == text, "run .venv/bin/python tools/make_docs.py"


def test_every_part_that_can_be_made_stands_on_a_page_once():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert sorted(re.findall(r"<!-- made: ([a-z_]+) -->", text)) == sorted(make_docs.PARTS)
    assert text.count("<!-- end -->") == len(make_docs.PARTS)


def test_a_part_that_nobody_makes_is_an_error():
    with pytest.raises(KeyError):
        make_docs.renewed("<!-- made: nothing -->\n<!-- end -->")


@pytest.mark.parametrize("page", EVERY_PAGE, ids=EVERY_NAME)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT) and target.exists(), link
        if anchor:
            assert anchor in [slug(heading) for heading in headings(target)], link


def test_the_index_names_every_page_once():
    links = LINK.findall((DOCS / "README.md").read_text(encoding="utf-8"))
    for name in NAMES:
        if name != "README.md":
            assert name in links


@pytest.mark.parametrize("words", [*shown_commands()])
def test_every_command_shown_exists_with_its_options(words):
    command: click.Command = shortlist
    for word in shlex.split(words)[1:]:
        if word.startswith("-"):
            known = {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]} | {
                "--help",
                "--version",
            }
            assert word.split("=")[0] in known, f"{command.name} has no {word}"
        elif isinstance(command, click.Group):
            assert word in command.commands, f"{command.name} has no command {word}"
            command = command.commands[word]


def test_pages_that_code_and_configs_name_exist_with_the_section_they_name():
    named = 0
    for path in [*(ROOT / "configs").rglob("*.toml"), *(ROOT / "pipeline").rglob("*.py")]:
        for page, section in MENTION.findall(path.read_text(encoding="utf-8")):
            named += 1
            assert (DOCS / page).is_file(), f"{path.relative_to(ROOT)} names docs/{page}"
            if section:
                assert any(heading.startswith(f"{section}. ") for heading in headings(DOCS / page)), f"docs/{page} has no section {section}"
    assert named > 10  # the pattern still finds them


def test_every_rule_names_its_limits_and_what_it_can_give():
    facts = make_docs.rule_facts()
    assert list(facts) == [rule.id for rule in limits.RULES]
    assert all(severities for _, severities in facts.values())
    # Two that a reader can check against the code of the rule.
    assert facts["landed_share"] == (["rules.landed_share_max"], ["reject"])
    assert facts["handling_days"] == (["rules.handling_days_max", "rules.handling_days_warn"], ["warn", "review", "reject"])


def test_every_key_of_the_default_plan_stands_on_its_page():
    shown = {f"{section}.{key}" for section, _, keys in make_docs.plan_sections() for key, _, _ in keys}
    held = load_plan().model_dump(by_alias=True)
    wanted = set()
    for section in held:
        if section in ("exchange_rates", "suppliers", "sources"):
            continue
        for key, value in held[section].items():
            if section == "money":
                wanted |= {f"money.{key}.{inner}" for inner, amount in value.items() if amount is not None}
            elif key == "priors":
                wanted |= {f"returns.priors.{name}" for name in value}
            else:
                wanted.add(f"{section}.{key}")
    assert shown == wanted


def test_every_key_of_a_source_file_is_explained():
    text = (DOCS / "adding-a-source.md").read_text(encoding="utf-8")
    keys = [*Source.model_fields, *Recognise.model_fields, *FileForm.model_fields, *ColumnRule.model_fields, *NonRecord.model_fields,
            *NonProduct.model_fields, *HistoryRule.model_fields]  # fmt: skip
    for key in set(keys) - {"name", "recognise", "file", "columns", "history"}:
        assert f"`{key}`" in text, key


def test_the_example_of_a_source_reads_the_example_of_its_export(tmp_path):
    text = (DOCS / "adding-a-source.md").read_text(encoding="utf-8")
    block = re.search(r"`configs/sources/finder\.toml`:\n\n((?:    .*\n|\n)+)", text)
    assert block is not None
    (tmp_path / "finder.toml").write_text(textwrap.dedent(block[1]), encoding="utf-8")
    export = re.search(r"^    Artikel;(?:.*\n    )+.*$", text, re.MULTILINE)
    assert export is not None
    (tmp_path / "finder.csv").write_text(textwrap.dedent(export[0]), encoding="utf-8")

    sources = (*load_sources(ROOT / "configs" / "sources"), *load_sources(tmp_path))
    reading = read_file(DumpFile("finder.csv", tmp_path / "finder.csv"), sources, read_context(load_plan()))
    ((name, rows),) = reading.tables()
    (row,) = rows.to_pylist()

    assert name == "candidates" and reading.report.non_records == {"footer": 1} and not reading.report.set_aside
    assert (row["price_cents"], row["currency"], row["marketplace"]) == (2499, "EUR", "DE")
    assert (row["rating"], row["package_weight_g"], row["is_hazmat"]) == (4.5, 400.0, False)


def test_every_exit_code_has_its_cure():
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    for refusal in errors.Refusal.__subclasses__():
        assert f"\n| {refusal.exit_code} |" in text, refusal.__name__
        assert re.search(rf"^## .*\b{refusal.exit_code}\b", text, re.MULTILINE), refusal.__name__


@pytest.mark.parametrize("page", EVERY_PAGE, ids=EVERY_NAME)
def test_no_page_names_a_place_on_somebodys_machine(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:home|root|work|mnt|opt|srv|Users)/|(?<![\w/])(?:shared|facts)/", text)
    assert "beside the repository" not in text


def test_every_module_that_a_document_names_exists(root):
    """Paths such as `stages/prices/steps.py`; the page on three models names files of other projects."""
    found = {}
    for page in [root / "README.md", root / "CONTRIBUTING.md", *(root / "docs").rglob("*.md")]:
        if page.name.startswith("0031-"):
            continue
        for path in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", page.read_text("utf-8")):
            if not any((root / base / path).is_file() for base in ("", "pipeline")):
                found.setdefault(page.name, []).append(path)
    assert found == {}
