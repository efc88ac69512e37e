"""Read the plan and the other files of `configs/` into frozen models; an unknown key is refused, never ignored."""

from __future__ import annotations

import datetime as dt
import difflib
import functools
import hashlib
import json
import os
import re
import stat
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config.locations import CLONE, CONFIGS, DEFAULT_PLAN, PACKAGE, TEMPLATES, logical_name
from pipeline.config.plan import Plan, digest_of
from pipeline.errors import PlanError

# `name==1.2 ; python_full_version < '3.12' \\`, as uv writes them.
_LOCKED = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)")
_PYTHON_BOUND = re.compile(r"python_full_version (<|>=) '3\.(\d+)'")


@dataclass(frozen=True)
class Marketplace:
    """One marketplace: its currency, page address and whether VAT of a region applies."""

    code: str
    currency: str
    aliases: tuple[str, ...]
    url: str
    vat_region: str
    duty_free_origins: frozenset[str]


@dataclass(frozen=True, eq=False)
class Configs:
    """The rest of `configs/` as parsed TOML; each stage compiles its own part. Compared by identity."""

    marketplaces: Mapping[str, Marketplace]
    fee_tables: Mapping[str, Mapping[str, Any]]
    card_tables: Mapping[str, Mapping[str, Any]]
    category_tables: Mapping[str, Mapping[str, Any]]
    digits: Mapping[str, int]
    digest: str


def code_digest() -> str:
    """SHA-256 over the program's files and `configs/`, which can change a result besides the data and the libraries.

    A clone and a package installed from it have the same digest.
    """
    held = hashlib.sha256()
    templates = (path for path in TEMPLATES.iterdir() if path.is_file())
    files = {logical_name(path): path for path in [*PACKAGE.rglob("*.py"), *templates, *CONFIGS.rglob("*.toml")]}
    for name, path in sorted(files.items()):
        held.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return held.hexdigest()


def read_lock(name: str) -> dict[str, str]:
    """Package -> version of `requirements/NAME.txt` for this Python; empty in an installed package, which has no such file."""
    path = None if CLONE is None else CLONE / "requirements" / f"{name}.txt"
    if path is None or not path.is_file():
        return {}
    here = sys.version_info[:2]
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        hit = _LOCKED.match(line)
        if hit is None:
            continue
        bound = _PYTHON_BOUND.search(line)
        if bound is None or (here < (3, int(bound[2]))) == (bound[1] == "<"):
            found[hit[1]] = hit[2]
    return found


def read_templates() -> dict[str, str]:
    """The report's templates, style sheet and script by file name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.iterdir()) if path.is_file()}


def read_starter_plan(language: str) -> str:
    """The plan that `shortlist init` writes: the keys that sellers change first, each with its default and a comment."""
    return (CONFIGS / "starter" / f"shortlist.{language}.toml").read_text(encoding="utf-8")


def newest_schedules() -> dict[dt.date, list[str]]:
    """First day of each marketplace's newest fee schedule -> marketplaces, newest first."""
    found: dict[dt.date, list[str]] = {}
    for path in sorted((CONFIGS / "marketplaces").glob("*.toml")):
        table = read_toml(path)
        days = [schedule["valid_from"] for schedule in table.get("schedule", ())]
        if days:
            found.setdefault(max(days), []).append(table["code"])
    return dict(sorted(found.items(), reverse=True))


@functools.lru_cache(maxsize=128)
def _parsed(content: bytes) -> dict[str, Any]:
    """Parse TOML; cached, because a run reads the same tables several times and parsing took a fifth of a small run's time."""
    return tomllib.loads(content.decode("utf-8"))


def read_toml(path: Path) -> dict[str, Any]:
    """One TOML file; do not change the result. Raises `PlanError` where it is missing, not UTF-8 or invalid (also a repeated key)."""
    return _tables(path, _bytes(path))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PlanError(f"{_shown(path)}: {error.strerror or error}; name a file that can be read") from None


def _tables(path: Path, content: bytes) -> dict[str, Any]:
    name = _shown(path)
    try:
        return _parsed(content)
    except UnicodeDecodeError as error:
        raise PlanError(f"{name}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{name}: {error}; correct the file, then run `shortlist config check`") from None


def read_private_toml(path: Path) -> dict[str, Any]:
    """A TOML file with secrets; raises `PlanError` where other users can read it, it belongs to another user, or it is a link."""
    try:
        held = path.lstat()
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror}; name a file that can be read") from None
    if not stat.S_ISREG(held.st_mode):
        raise PlanError(f"{path}: holds secrets and is a link or no file; put the file itself there")
    if held.st_uid not in {os.getuid(), 0}:
        raise PlanError(f"{path}: holds secrets and belongs to another user; make it your own")
    if held.st_mode & 0o077:
        raise PlanError(f"{path}: holds secrets and can be read by others; run `chmod 600 {path.name}` on it")
    return read_toml(path)


def load_plan(path: Path | None = None) -> Plan:
    """The default plan, overridden by the keys in `path` (the seller's own plan); raises `PlanError`."""
    base = read_toml(DEFAULT_PLAN)
    if path is None:
        return _plan(base, _shown(DEFAULT_PLAN))
    return _plan(_overlaid(base, read_toml(path)), _shown(path))


def load_configs() -> Configs:
    """Marketplaces, fee tables, category tables and currencies; the same object while no file changes. Raises `PlanError`."""
    folders = ("marketplaces", "fulfilment", "categories")
    paths = [CONFIGS / "currencies.toml", *(path for folder in folders for path in sorted((CONFIGS / folder).glob("*.toml")))]
    return _configs(tuple((path, _bytes(path)) for path in paths))


@functools.lru_cache(maxsize=2)
def _configs(files: tuple[tuple[Path, bytes], ...]) -> Configs:
    def tables_of(folder: str) -> dict[str, Any]:
        return {path.stem: _tables(path, content) for path, content in files if path.parent.name == folder}

    fee_tables, card_tables, category_tables = tables_of("marketplaces"), tables_of("fulfilment"), tables_of("categories")
    digits = _tables(*files[0])["digits"]
    wanted = {"code", "currency", "aliases", "url", "languages", "vat_region", "duty_free_origins"}
    marketplaces: dict[str, Marketplace] = {}
    for stem, table in fee_tables.items():
        where = f"configs/marketplaces/{stem}.toml"
        for key in sorted(set(table) - wanted - {"schedule", "import"}):
            raise PlanError(f"{where}: unknown key {key!r}; known: {', '.join(sorted(wanted))}, [[schedule]], [[import]]")
        for key in sorted(wanted - set(table)):
            raise PlanError(f"{where}: {key!r} is missing")
        if table["currency"] not in digits:
            raise PlanError(f"{where}: currency {table['currency']!r} is not in configs/currencies.toml")
        if table["code"] in marketplaces:
            raise PlanError(f"{where}: marketplace {table['code']!r} is in another file too")
        aliases = tuple(alias.casefold() for alias in table["aliases"])
        origins = frozenset(table["duty_free_origins"])
        marketplaces[table["code"]] = Marketplace(table["code"], table["currency"], aliases, table["url"], table["vat_region"], origins)
    digest = digest_of([fee_tables, card_tables, category_tables, digits])
    return Configs(marketplaces, fee_tables, card_tables, category_tables, digits, digest)


def _plan(values: dict[str, Any], name: str) -> Plan:
    try:
        return Plan.model_validate(values)
    except ValidationError as error:
        raise PlanError(f"{name}: {_first_fault(error, values)}") from None


def _first_fault(error: ValidationError, values: Mapping[str, Any]) -> str:
    fault = sorted(error.errors(), key=lambda f: (f["type"] != "extra_forbidden", [str(part) for part in f["loc"]]))[0]
    place = [str(part) for part in fault["loc"]]
    section = ".".join(place[:-1])
    inside = f" in [{section}]" if section else ""
    if fault["type"] == "extra_forbidden":
        return f"unknown key {place[-1]!r}{inside}{_suggestion(place)}"
    if fault["type"] == "missing":
        return f"key {place[-1]!r} is missing{inside}"
    wanted = fault["msg"].removeprefix("Value error, ")
    shown = fault["input"] if isinstance(fault["input"], str | int | float | bool) else ""
    return f"{'.'.join(place) or 'plan'}{f' = {shown!r}' if shown != '' else ''}: {wanted}"


def _suggestion(place: list[str]) -> str:
    model: Any = Plan
    for part in place[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        annotation = field.annotation if field is not None else None
        arguments = getattr(annotation, "__args__", ())
        model = next((a for a in (annotation, *arguments) if hasattr(a, "model_fields")), None)
        if model is None:
            return ""
    known = [field.alias or name for name, field in getattr(model, "model_fields", {}).items()]
    near = difflib.get_close_matches(place[-1], known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"


def _overlaid(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in own.items():
        under = merged.get(key)
        merged[key] = _overlaid(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def _shown(path: Path) -> str:
    full = path.resolve()
    if full.is_relative_to(CONFIGS):
        return logical_name(full)
    return full.relative_to(CLONE).as_posix() if CLONE is not None and full.is_relative_to(CLONE) else path.name


def plan_lines(plan: Plan) -> list[str]:
    """The plan as lines `section.key = value`, after a line with its hash."""
    lines = [f"# sha256 {plan.digest()}"]

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else key, inner)
        elif value is not None:
            lines.append(f"{prefix} = {json.dumps(value, ensure_ascii=False)}")

    walk("", plan.model_dump(mode="json", by_alias=True))
    return lines
