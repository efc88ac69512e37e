"""Output: the requested language, and the only place that prints."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console

    from pipeline.engine import Work
    from pipeline.messages import Words

# The language of `--lang` and that of the plan in use; kept here because `main` prints refusals.
_asked: dict[str, str | None] = {"lang": None, "plan": None}


def set_language(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Store `--lang`; click calls this before it reads the other arguments."""
    _asked["lang"] = value


def requested_language() -> str | None:
    """The language that `--lang` names, if any."""
    return _asked["lang"]


def follow(language: str | None) -> None:
    """Use the language of the plan where `--lang` is not given."""
    _asked["plan"] = language


def words() -> Words:
    """The messages in the requested language."""
    from pipeline.messages import Words, chosen

    return Words(chosen(_asked["lang"], _asked["plan"], os.environ, by_locale=True))


def is_watched() -> bool:
    """Whether stderr is a terminal."""
    return sys.stderr.isatty()


def screen() -> Console:
    """A console on stderr, for progress bars."""
    from rich.console import Console

    return Console(file=sys.stderr)


def bar(work: Work) -> AbstractContextManager[object]:
    """A progress bar on stderr while the work lasts."""
    from pipeline.cli.progress import Bar

    return Bar(screen(), work, words())


def answer(lines: list[str] | str, stream: str = "stdout") -> None:
    """Print text that may contain untrusted input: control and direction characters are replaced, and no locale makes it fail."""
    out = sys.stdout if stream == "stdout" else sys.stderr
    for line in [lines] if isinstance(lines, str) else lines:
        safe = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line)
        encoding = out.encoding or "utf-8"
        reported = safe.encode(encoding, "replace").decode(encoding, "replace")
        click.echo(_coloured(reported) if out.isatty() and not os.environ.get("NO_COLOR") else reported, file=out)


_MARK = re.compile(r"(\s*)(REJECT|reject|淘汰|REVIEW|review|复核|warn|warning|提醒|ok|达标|正常|hint|提示|bad|不达标)(?=\s|:|：)")
_COLOURS = {
    "REJECT": "red", "reject": "red", "淘汰": "red", "REVIEW": "yellow", "review": "yellow", "复核": "yellow",
    "ok": "green", "达标": "green", "正常": "green", "hint": "yellow", "提示": "yellow", "bad": "red", "不达标": "red",
}  # fmt: skip


def _coloured(line: str) -> str:
    """The line with the word at its beginning in colour; the word alone already gives the state."""
    found = _MARK.match(line)
    if not found:
        return line
    return found[1] + click.style(found[2], fg=_COLOURS.get(found[2], "cyan")) + line[found.end() :]


def answer_json(value: object) -> None:
    """Print a value as JSON, in ASCII where standard output is not UTF-8; values without a JSON type are written as text.

    Characters that a terminal may act on (controls, direction marks, line separators) are escaped, so that the value stays the same.
    """
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    text = json.dumps(value, ensure_ascii=ascii_only, indent=1, default=str)
    click.echo("".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text))


def _escaped(character: str) -> str:
    """A character as JSON writes it in ASCII: one `\\uXXXX`, or two for a character outside the basic plane."""
    return json.dumps(character)[1:-1] if ord(character) != 0x7F else "\\u007f"
