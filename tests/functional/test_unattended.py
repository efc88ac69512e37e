"""Unattended weeks: any order of arrival, any environment, notifications, and doubts where a week differs from the others."""

import itertools
import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

FILES = ("shortlist.parquet", "decisions.parquet", "set_aside.parquet", "unmatched_offers.parquet")
WEEKS = ("2026-W45", "2026-W46", "2026-W47")


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    from pipeline.demo.write import write_demo

    folder = tmp_path_factory.mktemp("unattended") / "demo"
    write_demo(folder, 150, 3, 5, "2026-W47")
    return folder


def run_here(data, dump, *, rebuild=False, keep=None, **options):
    from pipeline.runs.week_run import Options
    from pipeline.store import lock
    from pipeline.unattended.history import run_weeks

    with lock.hold(data):
        return run_weeks(Options(data=data, dump=dump, **options), rebuild=rebuild, keep=keep)


def lists(data):
    return {week: {name: (data / "shortlists" / week / name).read_bytes() for name in FILES} for week in WEEKS}


@pytest.fixture(scope="module")
def in_order(market, tmp_path_factory):
    data = tmp_path_factory.mktemp("in-order")
    for week in WEEKS:
        assert run_here(data, market / "dumps" / week).stale == ()
    return data


def test_weeks_in_any_order_end_in_the_same_bytes_once_rebuilt(market, in_order, tmp_path):
    wanted = lists(in_order)
    for place, order in enumerate([WEEKS[::-1]]):
        data = tmp_path / str(place)
        for week in order:
            outcome = run_here(data, market / "dumps" / week)
        assert [week for week, _ in outcome.stale] == [week for week in WEEKS if week > order[-1]]
        assert all("--rebuild" in cure for _, cure in outcome.stale)
        again = run_here(data, market / "dumps" / order[-1], rebuild=True)
        assert not again.result.is_new and list(again.rebuilt) == [week for week in WEEKS if week > order[-1]] and again.stale == ()
        assert lists(data) == wanted
        names = [(path.parent.name, path.name) for path in data.glob("shortlists/*") for path in [path.resolve()]]
        assert sorted(names) == sorted((p.resolve().parent.name, p.resolve().name) for p in in_order.glob("shortlists/*"))


def test_a_resent_old_week_makes_the_later_ones_stale_and_rebuild_brings_them_up(market, in_order, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(in_order, data, symlinks=True)
    dumps = tmp_path / "dumps"
    shutil.copytree(market / "dumps", dumps)
    history = dumps / WEEKS[0] / "price_history.csv"
    head, *rows = history.read_text().splitlines(keepends=True)
    history.write_text(head + "".join(rows[: len(rows) // 2]))
    outcome = run_here(data, dumps / WEEKS[0], rebuild=True)
    assert outcome.result.is_new and outcome.rebuilt == WEEKS[1:] and outcome.stale == ()
    fresh = tmp_path / "fresh"
    for week in WEEKS:
        run_here(fresh, dumps / week)
    assert lists(data) == lists(fresh) != lists(in_order)


def test_a_stale_week_whose_dump_is_gone_is_named(market, tmp_path):
    alone = tmp_path / "elsewhere" / WEEKS[0]
    shutil.copytree(market / "dumps" / WEEKS[0], alone)
    data = tmp_path / "data"
    run_here(data, market / "dumps" / WEEKS[1])
    outcome = run_here(data, alone, rebuild=True)
    assert outcome.rebuilt == () and outcome.stale == ((WEEKS[1], "its dump was not found, name it: shortlist run DUMP"),)


def test_history_rollback_and_keep(market, tmp_path):
    from pipeline.errors import NothingToDo
    from pipeline.unattended.history import history_lines, history_of, roll_back

    data = tmp_path / "data"
    runs = [run_here(data, market / "dumps" / WEEKS[0], top=top).result.folder.name for top in (3, 4)]
    run_here(data, market / "dumps" / WEEKS[1])
    told = history_of(data, WEEKS[0])
    assert [(e["week"], e["run"], e["is_current"]) for e in told] == [(WEEKS[0], run, run == runs[1]) for run in runs]
    assert [" * " in line for line in history_lines(told)[1:3]] == [False, True]
    assert runs[0] in roll_back(data, WEEKS[0], runs[0][:8])[0] and (data / "shortlists" / WEEKS[0]).resolve().name == runs[0]
    assert "already" in roll_back(data, WEEKS[0], runs[0])[0]
    for odd in ("../..", "", "zz"):
        with pytest.raises(NothingToDo, match=f"there are: {runs[0]}, {runs[1]}"):
            roll_back(data, WEEKS[0], odd)
    outcome = run_here(data, market / "dumps" / WEEKS[2], keep=1)
    # The newest week's list and the one before it stay, whatever KEEP says; older weeks lose run and pointer.
    assert len(outcome.pruned) == 2 and sorted(path.name for path in (data / "shortlists").iterdir()) == list(WEEKS[1:])
    assert not (data / "runs" / WEEKS[0]).exists()


def test_ordinary_weeks_are_not_doubted_and_a_dump_in_cents_is(market, in_order, tmp_path):
    from pipeline.errors import DoubtError

    for week in WEEKS:
        assert json.loads((in_order / "shortlists" / week / "run.json").read_text())["doubts"] == []
    data, dump = tmp_path / "data", tmp_path / WEEKS[2]
    shutil.copytree(in_order, data, symlinks=True)
    shutil.copytree(market / "dumps" / WEEKS[2], dump)
    import pandas as pd

    rows = pd.read_csv(dump / "candidates.csv", dtype=str)
    rows["price"] = (rows["price"].astype(float) * 100).map("{:.2f}".format).where(rows["price"].notna())
    rows.to_csv(dump / "candidates.csv", index=False, lineterminator="\n")
    before = (data / "shortlists" / WEEKS[2]).resolve()
    with pytest.raises(DoubtError, match="the median price is") as refused:
        run_here(data, dump, strict=True)
    assert refused.value.exit_code == 12 and "\n" not in str(refused.value)
    assert (data / "shortlists" / WEEKS[2]).resolve() == before
    manifest = run_here(data, dump).result.manifest
    assert "price" in {doubt["guard"] for doubt in manifest["doubts"]}
    assert any("unlike the last 2 weeks" in text and "median price" in text for text in manifest["warnings"])


def test_a_bare_environment_gives_the_same_bytes(market, in_order, tmp_path):
    data = tmp_path / "data"
    dumps = data / "dumps"
    shutil.copytree(market / "dumps" / WEEKS[0], dumps / WEEKS[0])
    program = Path(sys.executable).with_name("shortlist")
    words = [str(program)] if program.is_file() else [sys.executable, "-m", "pipeline"]
    done = subprocess.run(
        [*words, "run", "--data", str(data), "--log", str(data / "log.jsonl")],
        env={"LANG": "C", "TZ": "Pacific/Apia"}, cwd="/" if program.is_file() else None, umask=0o077, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, start_new_session=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = data / "shortlists" / WEEKS[0]
    assert {name: (run / name).read_bytes() for name in FILES} == lists(in_order)[WEEKS[0]]
    assert all(not stat.S_IMODE(path.stat().st_mode) & 0o077 for path in [run.resolve(), *run.iterdir()])
    events = [json.loads(line) for line in (data / "log.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events if event["event"] != "stage"] == ["started", "written", "weeks", "done"]
    assert {event["stage"] for event in events if event["event"] == "stage"} >= {"read", "match", "decide", "write", "report", "commit"}
    assert all(event["week"] == WEEKS[0] for event in events) and all(event["run_id"] == run.resolve().name for event in events[1:])


def attended(data, dump, monkeypatch, **environment):
    """A run in this process as the command does it; gives what was warned of."""
    from pipeline.unattended.supervisor import Outputs, RunRequest, supervised_run

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    asked = {"data": data, "dump": dump, "week": None, "plan": None, "top": None, "workers": 1, "dry_run": False, "strict": False}
    said = []
    log = str(data.parent / "log.jsonl")
    supervised_run(asked | {"sample_if_empty": False}, RunRequest(log=log), Outputs(said.append, said.append, said.append))
    return said


def test_a_failed_notification_changes_nothing_and_shows_no_address(market, tmp_path, monkeypatch):
    secret = "http://127.0.0.1:9/s3cret"
    said = attended(tmp_path / "data", market / "dumps" / WEEKS[0], monkeypatch, SHORTLIST_PING=secret, SHORTLIST_NOTIFY=f"json://{secret}")
    assert (tmp_path / "data" / "shortlists" / WEEKS[0]).is_symlink()
    assert [text for text in said if "not sent" in str(text)]
    assert "s3cret" not in "".join(map(str, said)) + (tmp_path / "log.jsonl").read_text()


def test_no_row_of_a_dump_is_in_the_log(make_dump, tmp_path, monkeypatch):
    from pipeline.errors import SetAsideError

    dump = make_dump("2026-W47", candidate={"title": "S3cret shelf", "brand": "Hushbrand"})
    with (dump / "candidates.csv").open("a") as handle:
        handle.write("B0HUSHHUSH,broken line of Hushbrand\n")
    with pytest.raises(SetAsideError):
        attended(tmp_path / "data", dump, monkeypatch)
    log = (tmp_path / "log.jsonl").read_text()
    assert [json.loads(line)["event"] for line in log.splitlines()][-1] == "failed" and '"exit_code": 12' in log
    assert not [word for word in ("S3cret", "Hushbrand", "B0HUSHHUSH", "B0EXAMPLE1") if word in log]


def test_settings_that_others_can_read_are_not_used_and_said(make_dump, tmp_path, monkeypatch):
    data = tmp_path / "data"
    data.mkdir()
    (data / "notify.toml").write_text('ping = "http://127.0.0.1:9/s3cret"\n')
    (data / "notify.toml").chmod(0o644)
    said = attended(data, make_dump("2026-W47"), monkeypatch)
    assert "chmod 600" in said[0] and "s3cret" not in said[0]


def test_the_message_names_the_top_and_what_came_and_went(market, in_order):
    from pipeline.publish.text.digest import body_of, occasions_of, title_of

    folder, last = ((in_order / "shortlists" / week).resolve() for week in (WEEKS[2], WEEKS[1]))
    manifest = json.loads((folder / "run.json").read_text())
    body = body_of(manifest, folder, last, True)
    listed = manifest["verdicts"]["shortlisted"]
    assert f"top {min(10, listed)}" in body and "\n1. US B0" in body and body.count("earns") == min(10, listed)
    assert ("entered: " in body) == (manifest["new"] > 0) and ("left: " in body) == (manifest["gone"] > 0)
    assert title_of(manifest).startswith(f"shortlist {WEEKS[2]}: {listed} products")
    assert occasions_of(manifest, True) == frozenset() and occasions_of(manifest | {"doubts": [{}]}, True) == {"drift"}
    empty = manifest | {"verdicts": manifest["verdicts"] | {"shortlisted": 0}}
    assert occasions_of(empty, True) == {"empty"} and occasions_of(empty, False) == frozenset()


def test_doctor_says_what_to_do_and_leaves_with_the_code_of_a_run(market, tmp_path, monkeypatch):
    from pipeline.store import lock
    from pipeline.unattended.doctor import doctor_lines, examine

    def codes(**more):
        return {finding.what: finding.exit_code for finding in examine(data, more.get("plan")) if finding.exit_code}

    data = tmp_path / "data"
    assert codes() == {"dump": 13}
    shutil.copytree(market / "dumps" / WEEKS[0], data / "dumps" / WEEKS[0])
    assert codes() == {}
    (data / "dumps" / WEEKS[0] / "more.csv.part").write_text("x")
    assert codes() == {"dump": 13}
    (data / "dumps" / WEEKS[0] / "more.csv.part").unlink()
    plan = tmp_path / "plan.toml"
    plan.write_text("[rules]\nnone = 1\n")
    assert codes(plan=plan) == {"plan": 10}
    with lock.hold(data):
        assert codes() == {"lock": 75}
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    findings = examine(data, None)
    assert {finding.what: finding.exit_code for finding in findings if finding.exit_code} == {"space": 14}
    wanted = {
        "python",
        "packages",
        "plan",
        "rights",
        "dump",
        "space",
        "lock",
        "last run",
        "kept runs",
        "locale",
        "time zone",
        "schedule",
        "notifier",
    }
    assert {finding.what for finding in findings} == wanted
    for finding, line in zip(findings, doctor_lines(findings), strict=True):
        assert line.startswith(finding.state)
        assert finding.state == "ok" or any(mark in finding.text for mark in (";", "see ", "passed over")), line


def test_no_link_is_followed_out_of_the_data_folder(market, tmp_path):
    from pipeline.errors import DumpError, NotWritten

    for place, (name, target, error) in enumerate(
        itertools.chain(
            [(f"dumps/{WEEKS[0]}", market / "dumps" / WEEKS[0], DumpError), ("decisions.csv", market / "secret.csv", DumpError)],
            [(folder, tmp_path / "outside", NotWritten) for folder in ("runs", "shortlists", "store")],
        )
    ):
        data = tmp_path / str(place)
        (data / "dumps").mkdir(parents=True)
        (tmp_path / "outside").mkdir(exist_ok=True)
        (market / "secret.csv").write_text("product_id,decision\n")
        (data / name).symlink_to(target)
        with pytest.raises(error, match="a link"):
            run_here(data, None if name.startswith("dumps") else market / "dumps" / WEEKS[0])
        assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize(("words", "wanted", "code"), [
    (["doctor"], ["软件包", "数据", "空间", "锁", "上次运行"], 13),
    (["history"], ["生成时间 (UTC)", "* 为现行清单"], 0),
    (["rollback", WEEKS[0], "CURRENT"], ["已经是现行清单"], 0),
    (["rollback", WEEKS[0], "zz"], ["没有 'zz' 这次运行"], 13),
    (["schedule", "print", "--cron"], ["日志", "退出码：0 完成"], 0),
    (["schedule", "print", "--systemd", "--at", "26:00"], ["不是 钟点", "请写成 06:30"], 2),
    (["train", "--dry-run", "--categories"], ["无事可做", "没有可供学习的内容"], 13),
], ids=str)  # fmt: skip
def test_who_keeps_it_running_is_answered_in_chinese_too(in_order, command, words, wanted, code):
    current = (in_order / "shortlists" / WEEKS[0]).resolve().name
    words = [current if word == "CURRENT" else word for word in words]
    done = command(*words, "--data", in_order, "--lang", "zh")
    assert done.returncode == code
    assert [text for text in wanted if text not in done.stdout + done.stderr] == []
    english = command(*words, "--data", in_order, "--lang", "en")
    assert english.returncode == code and not any("\u4e00" <= letter <= "\u9fff" for letter in english.stdout + english.stderr)


def test_training_is_told_in_chinese_too(market, command):
    done = command("train", "--dry-run", "--data", market, "--lang", "zh")
    assert done.returncode == 0 and done.stderr == ""
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in line) for line in done.stdout.splitlines())
    assert done.stdout.startswith("退货模型：") and "\n价格模型：" in done.stdout
