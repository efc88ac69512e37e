"""Records with line ends inside quoted values: which lines of a block may be one record together.

A search proposes records and the caller says which of them fit their columns; so this module knows no column. A record that does not fit
takes no other line with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.ingest.containers.blocks import JOINED_LINES, Block
from pipeline.ingest.lines.contract import Grammar, Joined, ScannedLines

JOINED_BYTES = 64 << 10
_ROUNDS = 8


class JoinSearch:
    """The search for joined records among the lines of a block whose quotes are wrong.

    `proposed` are records to be judged; `judge` takes the verdicts and may propose others. When nothing is proposed any more, `joined` are
    the records that were found, and `open_line` is the line of a record that may go on in the next block (None: there is none).
    """

    def __init__(self, scanned: ScannedLines, grammar: Grammar, is_last: bool) -> None:
        self._scanned = scanned
        self._rules = _Rules(grammar.width, grammar.separator.encode(), grammar.record, is_last)
        self._accepted: set[tuple[int, int]] = set()
        self._banned: set[int] = set()
        self._rounds = 0
        self.joined: list[Joined] = []
        self.proposed: list[Joined] = []
        self.open_line: int | None = None
        self._propose()

    def judge(self, fits: Sequence[bool]) -> None:
        """Take the verdict on each record of `proposed`."""
        self._accepted |= {(join.first, join.last) for join, fit in zip(self.proposed, fits, strict=True) if fit}
        failed = {join.first for join, fit in zip(self.proposed, fits, strict=True) if not fit}
        self._banned |= failed
        self._rounds += 1
        if failed and self._rounds < _ROUNDS:
            self._propose()
            return
        if failed:
            self.joined, self.open_line = [join for join in self.joined if join.first not in self._banned], None
        self.proposed = []

    def _propose(self) -> None:
        self.joined, self.open_line = [], None
        for first in self._scanned.is_faulty.nonzero()[0].tolist():
            if (self.joined and first <= self.joined[-1].last) or first in self._banned:
                continue
            try:
                join = _join_from(self._scanned.block, first, self._scanned.refused, self._rules)
            except _StillOpen:
                self.open_line = first
                break
            if join:
                self.joined.append(join)
        self.proposed = [join for join in self.joined if (join.first, join.last) not in self._accepted]


@dataclass(frozen=True)
class _Rules:
    width: int
    separator: bytes
    record: re.Pattern[bytes]
    is_last: bool


class _StillOpen(Exception):
    """A record is still open at the block's end."""


def _join_from(block: Block, first: int, refused: dict[int, str], rules: _Rules) -> Joined | None:
    """The shortest record that begins on a line and goes on in the lines after it; None where there is none."""
    parts = [block.line(first)]
    size, quotes = len(parts[0]), parts[0].count(b'"')
    if quotes % 2 == 0:
        return None
    has_full_width = parts[0].count(rules.separator) >= rules.width - 1
    for last in range(first + 1, first + JOINED_LINES):
        if last >= block.ends.size:
            if rules.is_last:
                return None
            raise _StillOpen
        part = block.line(last)
        size, quotes = size + len(part) + 1, quotes + part.count(b'"')
        # Two lines that each could be a record are two damaged records, not one with a line end in it.
        if last in refused or size > JOINED_BYTES or (has_full_width and part.count(rules.separator) >= rules.width - 1):
            return None
        parts.append(part)
        if quotes % 2 == 0 and rules.record.fullmatch(joined := b"\n".join(parts)):
            return Joined(first, last, joined)
        if rules.record.fullmatch(part):
            return None
    return None
