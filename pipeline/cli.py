"""Arguments in, exit code out: each command translates, calls one function and tells its answer. The only place that prints."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import EXIT_BUG, Refusal, Stopped

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pipeline.engine import Work
    from pipeline.messages import Words
    from pipeline.weeks import Outcome

# Everything else is imported inside the commands: `--help` must answer at once, and pandas alone takes a second.

_ROOT = Path(__file__).resolve().parent.parent
_DATA = click.option(
    "--data", type=click.Path(path_type=Path, file_okay=True), default=_ROOT / "data", show_default="data/",
    help="Data folder: dumps/ in, shortlists/ and runs/ out.",
)  # fmt: skip
_PLAN = click.option("--plan", type=click.Path(path_type=Path, dir_okay=False), help="Your own plan; holds only the keys that differ.")
_WEEK = click.option("--week", help="ISO week such as 2026-W47, or a day of it.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


# Which language was asked for, and which the plan in hand names; kept here, since a refusal ends in `main`.
_asked: dict[str, str | None] = {"lang": None, "plan": None}


def _ask_language(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    _asked["lang"] = value
    return value


_LANG = click.option(
    "--lang", type=click.Choice(["en", "zh"]), callback=_ask_language, is_eager=True,
    help="Language of the answer and of what is written (default: the plan's, SHORTLIST_LANG, the locale for answers, English).",
)  # fmt: skip


def _words() -> Words:
    """Speaks the language asked for."""
    from pipeline.messages import Words, chosen

    return Words(chosen(_asked["lang"], _asked["plan"], os.environ, by_locale=True))


def _answer(lines: list[str] | str, stream: str = "stdout") -> None:
    """Print text that may hold strangers' words: no control or direction-changing characters, no failure under any locale."""
    out = sys.stdout if stream == "stdout" else sys.stderr
    for line in [lines] if isinstance(lines, str) else lines:
        safe = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line)
        encoding = out.encoding or "utf-8"
        told = safe.encode(encoding, "replace").decode(encoding, "replace")
        click.echo(_coloured(told) if out.isatty() and not os.environ.get("NO_COLOR") else told, file=out)


_MARK = re.compile(r"(\s*)(REJECT|reject|淘汰|REVIEW|review|复核|warn|warning|提醒|ok|达标)(?=\s|:|：)")
_COLOURS = {
    "REJECT": "red", "reject": "red", "淘汰": "red", "REVIEW": "yellow", "review": "yellow", "复核": "yellow",
    "ok": "green", "达标": "green",
}  # fmt: skip


def _coloured(line: str) -> str:
    """The line with the mark at its beginning in colour; the mark says it in words too."""
    found = _MARK.match(line)
    if not found:
        return line
    return found[1] + click.style(found[2], fg=_COLOURS.get(found[2], "cyan")) + line[found.end() :]


def _answer_json(value: object) -> None:
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    click.echo(json.dumps(value, ensure_ascii=ascii_only, indent=1, default=str))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="shortlist", prog_name="shortlist")
def shortlist() -> None:
    """Choose products to sell on Amazon without stock: a week's CSV dump in, a ranked and explained shortlist out.

    \b
    First steps:
      shortlist check data/dumps/2026-W47     what would be read
      shortlist run                           the newest dump becomes a list
      shortlist explain B0EXAMPLE1            why a product is, or is not, on it
    """


@shortlist.command()
@click.argument("dump", required=False, type=click.Path(path_type=Path))
@_WEEK
@_DATA
@_PLAN
@click.option("--top", type=click.IntRange(min=1), help="How long the list is (default: the plan's).")
@click.option("--workers", type=click.IntRange(min=1), help="Processes (default: one for small dumps, else one per processor).")
@click.option("--dry-run", is_flag=True, help="Do everything but write.")
@click.option("--strict", is_flag=True, help="Refuse (exit 12) a record that cannot be taken, or figures unlike the last weeks'.")
@click.option("--rebuild", is_flag=True, help="Make later weeks again that this dump has made stale.")
@click.option("--keep", type=click.IntRange(min=1), help="Remove all but the newest KEEP runs; never this or last week's list.")
@click.option("--log", envvar="SHORTLIST_LOG", metavar="FILE", help="Append JSON lines about the run (- is stderr).")
@click.option("--quiet", is_flag=True, help="Nothing on stderr but refusals.")
@click.option("--sample-if-empty", is_flag=True, hidden=True)
@_LANG
@_JSON
def run(quiet: bool, as_json: bool, rebuild: bool, keep: int | None, log: str | None, **asked: Any) -> None:
    """Turn one week's dump into a list.

    DUMP is a folder or a file; without it the newest complete folder of dumps/ is taken.

    \b
    Example: shortlist run data/dumps/2026-W47 --top 30
    """
    from pipeline.attend import Voices, Wishes, attended_run
    from pipeline.errors import Locked

    def speak_as_planned() -> None:
        # Not before the lock is held: reading a plan loads the libraries.
        from pipeline.look import plan_language

        _asked["plan"] = plan_language(asked["plan"])

    def say(line: str) -> None:
        if not quiet and sys.stderr.isatty():
            _answer(_words().found(line), "stderr")

    def watch(work: Work) -> AbstractContextManager[object]:
        from rich.console import Console

        from pipeline.progress import Bar

        return Bar(Console(file=sys.stderr), work, _words())

    def warn(line: str) -> None:
        if not quiet:
            _answer(_words()("warning: {text}", text=_words().found(line)), "stderr")

    def answer(outcome: Outcome) -> None:
        speak_as_planned()
        _answer_run(outcome, quiet, as_json, asked["dry_run"])

    try:
        is_watched = sys.stderr.isatty() and not quiet and not as_json
        attended_run({**asked, "watch": watch if is_watched else None}, Wishes(rebuild, keep, log), Voices(say, warn, answer))
    except Refusal as refusal:
        if not isinstance(refusal, Locked):
            speak_as_planned()
        raise


def _answer_run(outcome: Outcome, quiet: bool, as_json: bool, dry_run: bool) -> None:
    from pipeline.publish.summary import next_steps, stale_lines, summary_line

    result = outcome.result
    if as_json:
        shown = str(result.folder) if result.folder else None
        weeks = {"rebuilt": outcome.rebuilt, "stale": dict(outcome.stale), "pruned": outcome.pruned}
        _answer_json({**result.manifest, "folder": shown, "is_new": result.is_new, **weeks})
        return
    steps = next_steps(result.manifest, result.is_new, dry_run, _words())
    if not quiet:
        told = stale_lines(outcome.rebuilt, outcome.stale, outcome.pruned, _words())
        for line in [*steps.before, *told]:
            _answer(line, "stderr")
    _answer(summary_line(result.manifest, result.is_new, _words()))
    if not quiet:
        _answer(steps.after, "stderr")


@shortlist.command()
@_WEEK
@_DATA
@_JSON
def history(week: str | None, data: Path, as_json: bool) -> None:
    """Every run that stands in the data folder, and which one is in force in each week.

    \b
    Example: shortlist history --week 2026-W47
    """
    from pipeline.weeks import history_lines, history_of

    entries = history_of(data, week)
    if as_json:
        _answer_json({"runs": entries})
    else:
        _answer(history_lines(entries))


@shortlist.command()
@click.argument("week")
@click.argument("run")
@_DATA
def rollback(week: str, run: str, data: Path) -> None:
    """Make an earlier RUN of a WEEK its list in force; `shortlist history` names them.

    \b
    Example: shortlist rollback 2026-W47 3f8c02
    """
    from pipeline.weeks import roll_back

    _answer(roll_back(data, week, run))


@shortlist.command()
@_DATA
@_PLAN
@_JSON
def doctor(data: Path, plan: Path | None, as_json: bool) -> None:
    """Look over everything that a run needs; each line says what to do. Leaves with the code that a run would leave with now.

    \b
    Example: shortlist doctor
    """
    from pipeline.doctor import doctor_lines, examine

    findings = examine(data, plan)
    if as_json:
        _answer_json({"findings": [vars(finding) for finding in findings]})
    else:
        _answer(doctor_lines(findings))
    sys.exit(next((finding.exit_code for finding in findings if finding.exit_code), 0))


@shortlist.group()
def schedule() -> None:
    """Weekly runs with nobody watching."""


@schedule.command("print")
@click.option("--cron", "kind", flag_value="cron", help="A line for `crontab -e`.")
@click.option("--systemd", "kind", flag_value="systemd", help="A service and a timer.")
@_DATA
@_PLAN
@click.option("--day", type=click.Choice(("mon", "tue", "wed", "thu", "fri", "sat", "sun")), default="mon", show_default=True)
@click.option("--at", default="06:30", show_default=True, help="Hour and minute.")
@click.option("--zone", help="Time zone of that hour, such as Asia/Shanghai (default: this machine's).")
@click.option("--memory", default="75%", show_default=True, help="Memory that a run may use (systemd).")
def schedule_print(kind: str | None, data: Path, plan: Path | None, **when: Any) -> None:
    """Print what a scheduler is to be told; nothing is installed.

    \b
    Example: shortlist schedule print --cron --day mon --at 06:30 --zone Asia/Shanghai
    """
    from pipeline.doctor import scheduled
    from pipeline.schedule import cron_lines, systemd_lines

    if kind is None:
        raise click.UsageError("say which scheduler: --cron or --systemd")
    told = scheduled(data, plan, **when)
    _answer(cron_lines(told) if kind == "cron" else systemd_lines(told))


@shortlist.command()
@click.argument("dump", type=click.Path(path_type=Path))
@_PLAN
@_LANG
@_JSON
def check(dump: Path, plan: Path | None, lang: str | None, as_json: bool) -> None:
    """Tell what would be read of a dump; writes nothing.

    \b
    Example: shortlist check data/dumps/2026-W47
    """
    from pipeline.check import check_dump, check_lines
    from pipeline.config import load_plan
    from pipeline.look import plan_language

    _asked["plan"] = plan_language(plan)
    told = check_dump(dump, load_plan(plan))
    if as_json:
        _answer_json(told)
    else:
        _answer(check_lines(told, _words()))
    if told["problems"]:
        from pipeline.errors import DumpError

        sys.exit(DumpError.exit_code)


@shortlist.command()
@click.argument("dumps", nargs=-1, type=click.Path(path_type=Path))
@_WEEK
@_DATA
@_PLAN
@click.option("--dry-run", is_flag=True, help="Fit and tell, but keep nothing.")
@click.option("--categories", is_flag=True, help="Fit the text model for listings without a known category instead.")
@click.option(
    "--labels", multiple=True, type=click.Path(path_type=Path, dir_okay=False), help="CSV: title, department [category_path source]."
)
@click.option("--taxonomy", multiple=True, type=click.Path(path_type=Path, dir_okay=False), help="Google's or Shopify's taxonomy with ids.")
@_JSON
def train(
    dumps: tuple[Path, ...], week: str | None, data: Path, plan: Path | None, dry_run: bool, as_json: bool,
    categories: bool, labels: tuple[Path, ...], taxonomy: tuple[Path, ...],
) -> None:  # fmt: skip
    """Fit models to your own records: return rates to order lines and return reports, price moves to price histories.

    DUMPS are folders or files; without them every complete folder of dumps/ is read. Runs use the model from then on.
    With --categories the text model is fitted to labelled rows (--labels, else category_labels.csv in the data folder) and taxonomies.

    \b
    Example: shortlist train --dry-run
             shortlist train --categories --taxonomy taxonomy-with-ids.en-US.txt --labels my-labels.csv
    """
    if categories:
        from pipeline.train_categories import CategoryOptions, train_categories

        _answer_trained([train_categories(CategoryOptions(data, labels, taxonomy, dry_run))], dry_run, as_json)
        return
    from pipeline.train import TrainOptions
    from pipeline.train import train as fit

    def say(line: str) -> None:
        if sys.stderr.isatty():
            _answer(line, "stderr")

    _answer_trained(fit(TrainOptions(data, dumps, week, plan, dry_run), say), dry_run, as_json)


def _answer_trained(trained: list[Any], dry_run: bool, as_json: bool) -> None:
    if as_json:
        _answer_json({one.kind: {"sha256": one.digest, **one.card} for one in trained})
        return
    for one in trained:
        _answer(one.lines)
    if not dry_run:
        _answer("kept; the next run uses it", "stderr")


@shortlist.command()
@click.argument("product_id")
@_WEEK
@_DATA
@click.option("--marketplace", help="Which one, when the product stands in several.")
@_LANG
@_JSON
def explain(product_id: str, week: str | None, data: Path, marketplace: str | None, lang: str | None, as_json: bool) -> None:
    """Why a product is, or is not, on the list: every rule, the costs, the score, the evidence.

    \b
    Example: shortlist explain B0EXAMPLE1 --week 2026-W47
    """
    from pipeline.look import explain_product, spoken
    from pipeline.publish.explain import explained_text

    _asked["plan"] = spoken(data, week)
    for place, (told, ranks) in enumerate(explain_product(data, product_id, week, marketplace)):
        if as_json:
            _answer_json({**told, "ranks": ranks})
            continue
        _answer(([""] if place else []) + explained_text(told, ranks, _words()))


@shortlist.command()
@_WEEK
@_DATA
@click.option("--top", type=click.IntRange(min=1), default=40, show_default=True, help="How many reasons.")
@_LANG
@_JSON
def rejects(week: str | None, data: Path, top: int, lang: str | None, as_json: bool) -> None:
    """The reasons of a week with counts and the nearest misses, and what was set aside.

    \b
    Example: shortlist rejects --week 2026-W47
    """
    from pipeline.look import spoken, week_folder
    from pipeline.publish.rejects import reject_lines, reject_reasons
    from pipeline.publish.segments import segment_lines, stopped_segments

    _asked["plan"] = spoken(data, week)
    folder = week_folder(data, week)[1]
    told = {**reject_reasons(folder, top), "categories": stopped_segments(folder, top)}
    if as_json:
        _answer_json(told)
    else:
        _answer(reject_lines(told, segment_lines(told["categories"], _words()), _words()))


@shortlist.command()
@click.argument("before", metavar="WEEK")
@click.argument("after", metavar="WEEK")
@_DATA
@_LANG
@_JSON
def diff(before: str, after: str, data: Path, lang: str | None, as_json: bool) -> None:
    """What changed from one week's list to another's: who entered, who left, who moved, and why.

    \b
    Example: shortlist diff 2026-W46 2026-W47
    """
    from pipeline.config import load_configs
    from pipeline.look import list_diff, spoken
    from pipeline.publish.diff import changes_json
    from pipeline.publish.words import diff_lines

    _asked["plan"] = spoken(data, after)
    old, new, changes = list_diff(data, before, after)
    if as_json:
        _answer_json({"before": old, "after": new, "changes": changes_json(changes)})
    else:
        _answer(diff_lines(old, new, changes, load_configs().digits, _words()))


@shortlist.command()
@_WEEK
@_DATA
@_LANG
@_JSON
def report(week: str | None, data: Path, lang: str | None, as_json: bool) -> None:
    """Write report.html and shortlist.xlsx of a week again, from its Parquet files.

    \b
    Example: shortlist report --week 2026-W47 --lang zh
    """
    from pipeline.look import rewrite_report, spoken

    _asked["plan"] = spoken(data, week)
    week, paths, is_changed = rewrite_report(data, week, lang)
    say = _words()
    if as_json:
        _answer_json({"week": week, "files": [str(path) for path in paths], "changed": is_changed})
        return
    _answer([str(path) for path in paths])
    _answer(say("written again; open the first in a browser") if is_changed else say("they were as they should be"), "stderr")


@shortlist.command()
@click.option("--from", "workbook", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A shortlist.xlsx, filled in.")
@click.option("--on", help="The day to date new decisions by (default: the day the workbook was judged as of).")
@_DATA
@_LANG
@_JSON
def decide(workbook: Path, on: str | None, data: Path, lang: str | None, as_json: bool) -> None:
    """Take the decisions and notes typed into a workbook over into decisions.csv, which every later run honours.

    \b
    Example: shortlist decide --from data/shortlists/2026-W47/shortlist.xlsx
    """
    from pipeline.decide import import_decisions

    told = import_decisions(data, workbook, on)
    if as_json:
        _answer_json({"file": str(told.path), "new": told.new, "changed": told.changed, "same": told.same, "older": told.older})
        return
    say = _words()
    _answer(say(
        "{file}: {new:,} new, {changed:,} changed, {same:,} as before, {older:,} older than what stands there",
        file=told.path, new=told.new, changed=told.changed, same=told.same, older=told.older,
    ))  # fmt: skip
    _answer(say("next: `shortlist run` honours them"), "stderr")


@shortlist.command()
@_WEEK
@_DATA
@click.option("--top", type=click.IntRange(min=1), help="How many (default: 40 in the terminal, else all).")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write a file: .csv, .xlsx or .json.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV on stdout.")
@_LANG
@_JSON
def sourcing(week: str | None, data: Path, top: int | None, out: Path | None, as_csv: bool, lang: str | None, as_json: bool) -> None:
    """What to find a supplier for: candidates that lack an offer alone, with the most to pay for one, best first.

    \b
    Example: shortlist sourcing --top 100 --out worklist.xlsx
    """
    from pipeline.look import sourcing_list, spoken
    from pipeline.publish.sourcing import FORMATS, sourcing_csv, sourcing_lines, write_sourcing

    if out is not None and out.suffix.lower() not in FORMATS:
        raise click.UsageError(f"--out {out.name}: the ending must be one of {', '.join(FORMATS)}")
    _asked["plan"] = spoken(data, week)
    in_terminal = out is None and not as_csv and not as_json
    week, rows, digits = sourcing_list(data, week, top or (40 if in_terminal else None))
    if out is not None:
        write_sourcing(out, rows, digits)
        _answer(_words()("{file}: {n:,} candidates of {week} wait for an offer", file=out, n=len(rows), week=week))
    elif as_json:
        _answer_json({"week": week, "sourcing": rows})
    else:
        _answer(sourcing_csv(rows, digits).decode("utf-8-sig").splitlines() if as_csv else sourcing_lines(rows, digits, _words()))


@shortlist.group()
def config() -> None:
    """The plan: test it, or see the one in force."""


@config.command("check")
@click.argument("plan", required=False, type=click.Path(path_type=Path, dir_okay=False))
@_LANG
def config_check(plan: Path | None, lang: str | None) -> None:
    """Test a plan, the fee schedules, the category tables and the sources; exit 10 and one line if something is wrong.

    \b
    Example: shortlist config check my-plan.toml
    """
    from pipeline.look import check_configs

    _answer(check_configs(plan, _words()))


@config.command("show")
@_PLAN
@_JSON
def config_show(plan: Path | None, as_json: bool) -> None:
    """Print the plan in force, with its hash.

    \b
    Example: shortlist config show --plan my-plan.toml
    """
    from pipeline.config import load_plan, plan_lines

    held = load_plan(plan)
    if as_json:
        _answer_json({"sha256": held.digest(), "plan": held.model_dump(mode="json", by_alias=True)})
    else:
        _answer(plan_lines(held))


@shortlist.command("sources")
@_LANG
@_JSON
def list_sources(lang: str | None, as_json: bool) -> None:
    """The exports that are recognised, and by which headers.

    \b
    Example: shortlist sources
    """
    from pipeline.look import source_entries, source_lines

    entries = source_entries()
    if as_json:
        _answer_json({"sources": entries})
    else:
        _answer(source_lines(entries, _words()))


@shortlist.command()
@_DATA
@_LANG
def init(data: Path, lang: str | None) -> None:
    """Make the data folder, with an empty file of each canonical table to fill in.

    \b
    Example: shortlist init --data ~/amazon
    """
    from pipeline.look import make_data_folder

    _answer(make_data_folder(data, _words()))


@shortlist.command()
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--products", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--weeks", type=click.IntRange(min=1), default=1, show_default=True, help="How many weekly dumps.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--until", default="2026-W47", show_default=True, help="The last week.")
def demo(target: Path, products: int, weeks: int, seed: int, until: str) -> None:
    """Invent a market to try things on: canonical and Keepa dumps, and the truth behind them.

    \b
    Example: shortlist demo /tmp/market --products 5000 --weeks 4 --seed 1
             shortlist run /tmp/market/dumps/2026-W47 --data /tmp/market/data
    """
    from pipeline.demo.write import demo_lines, write_demo

    _answer(demo_lines(write_demo(target, products, weeks, seed, until)))


def main() -> None:
    """Entry point: runs a command and turns every end into its exit code."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, stop)
    try:
        shortlist.main(standalone_mode=False)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "shortlist"
        _answer(_words().found(f"usage: {error.format_message().rstrip('.')}; see `{path} --help`"), "stderr")
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(128 + signal.SIGINT)
    except Stopped as stopped:
        _answer(_words()("stopped: the last list stands"), "stderr")
        sys.exit(128 + stopped.number)
    except Refusal as refusal:
        _answer(_words().found(str(refusal)), "stderr")
        sys.exit(refusal.exit_code)
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            from pipeline.attend import end_of

            code, told = end_of(error)
            if code == EXIT_BUG:
                raise
            # A disk that failed where nobody reckoned with it, or a list whose announcement found no room (`> /dev/full`, a closed
            # stdout); then stdout must not be flushed again.
            with contextlib.suppress(OSError):
                _answer(told, "stderr")
            os._exit(code)
        # The reader of the answer went away (`| head`): nothing is wrong with the answer, and nobody is left to flush to.
        os._exit(0)
