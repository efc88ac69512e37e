"""The result of reading a file: its line accounting, and its description for `check`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class FileReport:
    """What became of every line of a file, in plain types; `check_ledger` holds it to the accounting law."""

    file: str
    source: str
    table: str
    encoding: str = ""
    separator: str = ""
    size: int = 0
    sha256: str = ""
    lines: int = 0
    header: int = 0
    blank: int = 0
    non_records: dict[str, int] = field(default_factory=dict)
    line_ends_in_values: int = 0
    rows: int = 0
    non_products: dict[str, int] = field(default_factory=dict)
    set_aside: dict[str, int] = field(default_factory=dict)
    softened: dict[str, int] = field(default_factory=dict)  # header -> cells not understood and taken as missing
    columns: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    exported_at: str | None = None

    def add(self, part: FileReport) -> None:
        """Count what became of some of the file's lines."""
        self.blank += part.blank
        self.line_ends_in_values += part.line_ends_in_values
        self.rows += part.rows
        for name in ("non_records", "non_products", "set_aside", "softened"):
            mine, more = getattr(self, name), getattr(part, name)
            for kind, count in more.items():
                mine[kind] = mine.get(kind, 0) + count
        self.exported_at = part.exported_at or self.exported_at

    def check_ledger(self) -> None:
        """Raise `AssertionError` unless every physical line is accounted for exactly once."""
        counted = self.header + self.blank + sum(self.non_records.values()) + self.rows + self.line_ends_in_values
        counted += sum(self.set_aside.values())
        if self.lines != counted:
            raise AssertionError(f"{self.file}: {self.lines} lines, but {counted} accounted for")

    def counted_rows(self) -> tuple[int, int]:
        """The least and the most data rows that a sender may have counted: lines set aside may be pieces of one record."""
        aside = sum(self.set_aside.values())
        pieces = sum(self.set_aside.get(kind, 0) for kind in ("quote", "width"))
        least = self.rows + aside - max(0, pieces - 1)
        return least, self.rows + aside + sum(self.non_records.values())

    @property
    def records(self) -> int:
        """Rows delivered: products, not postage and the like."""
        return self.rows - sum(self.non_products.values())


@dataclass(frozen=True)
class Description:
    """The description of a file for `shortlist check`; `problem` says why it cannot be read, else `source` and `columns` how, and
    `recognised_by` why.
    """

    file: str
    header: tuple[str, ...]
    source: str | None = None
    table: str | None = None
    encoding: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    recognised_by: tuple[str, ...] = ()
    problem: str | None = None
