"""Every sentence a person reads, in English and Simplified Chinese.

English is written where it is said, as a text with named holes (`say("{n} products wait", n=3)`), and is what files keep; Chinese stands in
the catalogues of this folder under that English text. What was put together elsewhere (a refusal, a reason's detail) is found again by its
English pattern. A test reads the source for everything said and proves that no catalogue lacks it.

May import: nothing of the program.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.messages.columns import COLUMNS
from pipeline.messages.details import DETAILS
from pipeline.messages.operations import TENDING
from pipeline.messages.refusals import LABELS, REFUSALS
from pipeline.messages.report import REPORT
from pipeline.messages.rules import DECISION_WORDS, RULE_WORDS
from pipeline.messages.terminal import TERMINAL
from pipeline.messages.workbook import WORKBOOK

LANGUAGES = ("en", "zh")
# Said with holes by name, and sentences that are found again by their pattern.
CHINESE: dict[str, str] = {**TERMINAL, **TENDING, **REPORT, **WORKBOOK, **COLUMNS, **RULE_WORDS, **DECISION_WORDS}
PATTERNS: dict[str, str] = {**DETAILS, **REFUSALS}
_HOLE = re.compile(r"\{(\w+)(?::[^{}]*)?\}")


def chosen(asked: str | None, plan: str | None, environment: Mapping[str, str], *, by_locale: bool) -> str:
    """The language to speak: `--lang`, else the plan's, else `SHORTLIST_LANG`, else English.

    `by_locale` lets the terminal's own locale decide before English is taken. Files never follow it: cron has none, and the same input
    must give the same bytes.

    >>> chosen(None, "auto", {"LANG": "zh_CN.UTF-8"}, by_locale=True)
    'zh'
    >>> chosen(None, "auto", {"LANG": "zh_CN.UTF-8"}, by_locale=False)
    'en'
    """
    named = [asked, None if plan == "auto" else plan, environment.get("SHORTLIST_LANG")]
    if by_locale:
        named.append(next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), None))
    for name in named:
        if name:
            return "zh" if name.casefold().startswith("zh") else "en"
    return "en"


@dataclass(frozen=True)
class Words:
    """Speaks one language."""

    language: str = "en"

    def __call__(self, text: str, /, **holes: object) -> str:
        """The text in this language with its holes filled (a hole may carry a format, `{n:,}`)."""
        reported = CHINESE.get(text, text) if self.language == "zh" else text
        return reported.format(**holes) if holes else reported

    def found(self, sentence: str | None) -> str:
        """A finished English sentence in this language; what no pattern fits stays as it is."""
        if not sentence:
            return ""
        return _translated(sentence) if self.language == "zh" else sentence

    def listed(self, words: Iterable[str]) -> str:
        """Words one after the other."""
        return ("、" if self.language == "zh" else ", ").join(words)


ENGLISH = Words("en")


def numbered(pattern: str) -> re.Pattern[str]:
    """A text with numbered holes as a pattern that finds what fills them.

    >>> numbered("{0}: {1} rows").fullmatch("a.csv: 3 rows").groups()
    ('a.csv', '3')
    """
    parts, last, seen = [], 0, set()
    for hole in _HOLE.finditer(pattern):
        parts.append(re.escape(pattern[last : hole.start()]))
        name = hole[1]
        parts.append(f"(?P=h{name})" if name in seen else f"(?P<h{name}>.*?)")
        seen.add(name)
        last = hole.end()
    return re.compile("".join(parts) + re.escape(pattern[last:]), re.DOTALL)


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    # The longest fixed text first: the pattern that says most is the one that was meant.
    ordered = sorted(PATTERNS.items(), key=lambda pair: -len(_HOLE.sub("", pair[0])))
    return tuple((numbered(english), chinese) for english, chinese in ordered)


def _translated(sentence: str) -> str:
    for english, chinese in LABELS.items():
        if sentence.startswith(f"{english}: "):
            return f"{chinese}：{_translated(sentence[len(english) + 2 :])}"
    if sentence in CHINESE:
        return CHINESE[sentence]
    for pattern, chinese in _patterns():
        match = pattern.fullmatch(sentence)
        if match:
            holes = {
                f"h{name[1:]}": _translated(value) if " " in value else PATTERNS.get(value, value)
                for name, value in match.groupdict().items()
            }
            return _HOLE.sub(lambda hole, holes=holes: str(holes[f"h{hole[1]}"]), chinese)  # type: ignore[misc]
    return sentence
