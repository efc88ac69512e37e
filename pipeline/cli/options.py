"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.output import set_language
from pipeline.config.locations import CLONE, default_data, default_plan

_HERE = " of this folder" if CLONE is None else ""
DATA = click.option(
    "--data", type=click.Path(path_type=Path, file_okay=True, readable=False), default=default_data, show_default=f"data/{_HERE}",
    help="Data folder: dumps/ in, shortlists/ and runs/ out.",
)  # fmt: skip
PLAN = click.option(
    "--plan", type=click.Path(path_type=Path, dir_okay=False, readable=False), default=default_plan,
    show_default=False if CLONE is not None else "shortlist.toml of this folder, where there is one",
    help="Your own plan; holds only the keys that differ.",
)  # fmt: skip
WEEK = click.option("--week", help="ISO week such as 2026-W47, or a day of it.")
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
LANG = click.option(
    "--lang", type=click.Choice(["en", "zh"]), callback=set_language, is_eager=True, expose_value=False,
    help="Language of the answer and of what is written (default: the plan's, SHORTLIST_LANG, the locale for answers, English).",
)  # fmt: skip
