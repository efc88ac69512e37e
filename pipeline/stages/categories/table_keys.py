"""Reading one table of `configs/categories` key by key, so that a wrong key is named with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pipeline.errors import PlanError


@dataclass(frozen=True)
class Table:
    """One table of a configuration file that is read key by key, so that a wrong key is named with its place."""

    file: str
    where: str
    values: Mapping[str, Any]

    def check(self, known: Iterable[str]) -> None:
        """Refuse keys that are not known, with the nearest known one."""
        names = sorted(known)
        for key in self.values:
            if key not in names:
                near = get_close_matches(key, names, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
                raise self.error(key, f"unknown key; {hint}")

    def error(self, key: str, message: str) -> PlanError:
        """The refusal for a key of this table."""
        return PlanError(f"configs/categories/{self.file}.toml: {self.where}{key}: {message}")

    def text(self, key: str, allowed: Iterable[str] | None = None, default: str | None = None) -> str:
        """A text value, one of `allowed` when given."""
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise self.error(key, "missing" if value is None else "wanted a text")
        if allowed is not None and value not in allowed:
            raise self.error(key, f"{value!r} is none of {', '.join(sorted(allowed))}")
        return value

    def texts(self, key: str, allowed: Iterable[str] | None = None) -> tuple[str, ...]:
        """A list of texts, each once; empty when the key is not there."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise self.error(key, "wanted a list of texts")
        seen: set[str] = set()
        for item in value:
            if allowed is not None and item not in allowed:
                raise self.error(key, f"{item!r} is none of {', '.join(sorted(allowed))}")
            if item in seen:
                raise self.error(key, f"{item!r} stands there twice")
            seen.add(item)
        return tuple(value)

    def tables(self, key: str) -> list[Table]:
        """A list of tables, at least one."""
        value = self.values.get(key)
        if not isinstance(value, list) or not value or not all(isinstance(item, Mapping) for item in value):
            raise self.error(key, f"wanted one or more [[{key}]]")
        return [Table(self.file, f"[[{key}]] {number}: ", item) for number, item in enumerate(value, 1)]

    def table(self, key: str) -> Table:
        """A table inside this one; empty when the key is not there."""
        value = self.values.get(key, {})
        if not isinstance(value, Mapping):
            raise self.error(key, "wanted a table")
        return Table(self.file, f"[{key}] ", value)
