"""Every sentence a person reads stands in both languages: the source is read for what is said, and no catalogue may lack it."""

from __future__ import annotations

import ast
import functools
import re
import string

import pytest

from pipeline import errors, messages
from pipeline.messages import CHINESE, ENGLISH, PATTERNS, Words, chosen
from pipeline.messages import columns as column_words
from pipeline.messages import rules as rule_words
from pipeline.messages import workbook as workbook_words
from pipeline.publish.view import sentences
from pipeline.stages.rules.limits import RULES

CHINESE_LETTER = re.compile(r"[\u4e00-\u9fff]")
SPEAKERS = {"say", "words", "t"}
REFUSING = {"PlanError", "DumpError", "UsageError", "NothingToDo", "NotWritten", "Locked", "SetAsideError", "ValueError"}
# Sentences of other rooms that reach people through `Words.found`: every text of these modules with a blank in it.
TOLD_IN = ("stages/rules/limits.py",)


@functools.cache
def sources(root):
    return {path: path.read_text(encoding="utf-8") for path in sorted((root / "pipeline").rglob("*.py"))}


def template(node):
    """A text or an f-string as a text with numbered holes; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        told, holes = "", 0
        for part in node.values:
            if isinstance(part, ast.Constant):
                told += part.value
            else:
                told, holes = told + "{" + str(holes) + "}", holes + 1
        return told
    return None


def called(node):
    function = node.func
    if isinstance(function, ast.Call):
        function = function.func  # `_words()("...")`
    return function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""


@functools.cache
def nodes(root):
    """Every node of every module's tree, with the file's path."""
    return [(path, node) for path, source in sources(root).items() for node in ast.walk(ast.parse(source))]


def calls(root, names):
    for path, node in nodes(root):
        if isinstance(node, ast.Call) and node.args and called(node) in names:
            yield path.name, node.lineno, node.args[0]


@functools.cache
def said(root):
    """Every literal text that is said, in code and in templates."""
    found = {text for _, _, argument in calls(root, {*SPEAKERS, "_words"}) if (text := template(argument)) is not None}
    for path in (root / "pipeline" / "publish" / "report" / "templates").iterdir():
        found |= {text for _, text in re.findall(r"""\bt\((["'])(.+?)\1[,)]""", path.read_text(encoding="utf-8"))}
    # `told = "..."` where a line would be too long for the call itself
    for _, node in nodes(root):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "told":
            text = template(node.value)
            found |= {text} if text and isinstance(node.value, ast.Constant) else set()
    return found


def named():
    """Words that are said by a name out of a table."""
    tables = [
        rule_words.VERDICT_WORDS, rule_words.SEVERITY_WORDS, rule_words.STATE_WORDS, rule_words.ACTION_WORDS, rule_words.RULE_NAMES,
        rule_words.FACT_NAMES, column_words.COLUMN_WORDS, workbook_words.SHEETS, sentences._BECAUSE, sentences.FACT_WORDS,
        sentences.PART_WORDS, dict(sentences.CHANGE_KINDS),
    ]  # fmt: skip
    found = {words for table in tables for words in table.values()} | {words for _, words, _, _ in workbook_words.OWN_COLUMNS}
    return found | {rule.asks for rule in RULES} | {workbook_words.MARKETPLACE, workbook_words.PRODUCT, workbook_words.JUDGED}


def test_everything_that_is_said_stands_in_chinese(root):
    lacking = sorted((said(root) | named()) - CHINESE.keys() - PATTERNS.keys() - {"{0}", ""})
    lacking = [text for text in lacking if re.search("[A-Za-z]{2}", text)]
    assert lacking == []


def test_every_refusal_stands_in_chinese(root):
    refused = [(file, line, template(argument)) for file, line, argument in calls(root, REFUSING)]
    lacking = sorted({f"{file}:{line} {text}" for file, line, text in refused if text is not None and text not in PATTERNS})
    assert lacking == [], "add them to pipeline/messages/refusals.py, holes numbered in their order"
    assert {refusal.label for refusal in errors.Refusal.__subclasses__()} <= messages.LABELS.keys()


@pytest.mark.parametrize("module", TOLD_IN)
def test_every_detail_of_a_rule_stands_in_chinese(root, module):
    tree = ast.parse((root / "pipeline" / module).read_text(encoding="utf-8"))
    quiet = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    texts = {template(node) for node in ast.walk(tree) if id(node) not in quiet | parts and isinstance(node, ast.Constant | ast.JoinedStr)}
    told = {text for text in texts if text and " " in text.strip() and not text.startswith(("plan: ", "did you", "known: "))}
    assert sorted(told - CHINESE.keys() - PATTERNS.keys()) == []


def test_a_chinese_sentence_has_the_holes_of_its_english_one():
    def holes(text):
        return {name for _, name, _, _ in string.Formatter().parse(text.replace("{{", "").replace("}}", "")) if name is not None}

    pairs = [*CHINESE.items(), *PATTERNS.items(), *messages.LABELS.items()]
    assert len(pairs) > 900 and [english for english, chinese in pairs if holes(english) != holes(chinese)] == []


def test_no_catalogue_has_a_sentence_that_nothing_says(root):
    spoken = said(root) | named()
    everything = "\n".join(sources(root).values()) + "\n".join(
        path.read_text(encoding="utf-8") for path in (root / "pipeline" / "publish" / "report" / "templates").iterdir()
    )
    constants = {
        node.value
        for path, node in nodes(root)
        if "messages" not in path.parts and isinstance(node, ast.Constant) and isinstance(node.value, str)
    }  # fmt: skip
    unused = [text for text in CHINESE if text not in spoken and text not in constants and everything.count(text) < 2]
    assert unused == []


def test_chinese_is_chinese():
    plain = {"{fact} {old} → {new}", "; "}
    assert [text for text, told in CHINESE.items() if text not in plain and not CHINESE_LETTER.search(told)] == []


def test_the_words_are_those_of_chinese_sellers():
    say = Words("zh")
    wanted = {"Gross margin": "毛利率", "Return rate": "退货率", "Supplier's cost": "采购价", "Landed cost": "到手成本",
              "Break-even price": "保本价", "Backup suppliers": "备用供应商"}  # fmt: skip
    assert {english: say(english) for english in wanted} == wanted


def test_a_refusal_is_found_again_whatever_fills_its_holes():
    refusal = errors.DumpError("keepa us.csv: cut off, the last line has no end; wait for the upload to finish, then run again")
    assert Words("zh").found(str(refusal)) == "数据被拒：keepa us.csv：被截断，最后一行没有结束；请等上传完成再运行"
    assert ENGLISH.found(str(refusal)) == str(refusal)


def test_a_sentence_inside_a_sentence_is_translated_too():
    told = 'review: animal food, because of category segment "Bird Seed" (root "Patio, Lawn & Garden")'
    assert Words("zh").found(told) == "复核：宠物食品，依据 类目层级“Bird Seed”（根类目“Patio, Lawn & Garden”）"


def test_what_nobody_knows_stays_as_it_is():
    assert Words("zh").found("something entirely new (42)") == "something entirely new (42)"


def test_a_cell_that_looks_like_a_hole_is_only_text():
    assert ENGLISH("Rejected: {reasons}.", reasons="{0.__class__} {{7*7}}") == "Rejected: {0.__class__} {{7*7}}."
    told = "decision {0.__class__}: hidden until 2026-12-01"
    assert Words("zh").found(told) == "决定 {0.__class__}：隐藏至 2026-12-01"


@pytest.mark.parametrize(("asked", "plan", "environment", "terminal", "files"), [
    (None, None, {}, "en", "en"),
    ("zh", "en", {"SHORTLIST_LANG": "en"}, "zh", "zh"),
    (None, "zh", {"SHORTLIST_LANG": "en"}, "zh", "zh"),
    (None, "auto", {"SHORTLIST_LANG": "zh_CN.UTF-8", "LANG": "de_DE.UTF-8"}, "zh", "zh"),
    (None, "auto", {"LANG": "zh_CN.UTF-8"}, "zh", "en"),
    (None, "auto", {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en", "en"),
])  # fmt: skip
def test_the_option_stands_above_the_plan_and_the_plan_above_the_environment(asked, plan, environment, terminal, files):
    assert chosen(asked, plan, environment, by_locale=True) == terminal
    assert chosen(asked, plan, environment, by_locale=False) == files


# Words that a seller would not say for the glossary's term; each was found in a draft of the catalogue.
SYNONYMS = {
    "采购价": ("进货成本", "采购成本", "进货价"), "头程": ("前程",), "尾程": ("面单费", "末程"), "佣金": ("转介费", "推荐费"), "类目": ("分类路径", "品类"),
    "退货率": ("退回率", "返品率"), "毛利率": ("毛利润率", "总利润率"), "上架": ("刊登",), "清单": ("名单",), "门槛价": ("评估价",),
}  # fmt: skip


def test_chinese_sentences_use_the_terms_of_the_glossary_and_no_synonym(root):
    glossary = (root / "docs" / "glossary.md").read_text("utf-8")
    assert [term for term in SYNONYMS if term not in glossary] == []
    texts = [*CHINESE.values(), *PATTERNS.values(), *(path.read_text("utf-8") for path in (root / "docs").glob("*.zh.md"))]
    assert [(word, text[:60]) for words in SYNONYMS.values() for word in words for text in texts if word in text] == []
