"""Text from strangers comes out as it came in, and never becomes a path, a line of its own or a command of the terminal."""

import csv

import pyarrow.parquet as pq
import pytest

WEEK = "2026-W47"
TITLES = [
    '=cmd|\' /C calc\'!A0', "+1+1", "@SUM(1)", "\t=1+1", "＝1+1", "<script>alert(1)</script>", "{{7*7}}", "${jndi:x}", "%s%n",
    "\u202eesrever", "\u200bzero", "🐾 emoji 👩‍👩‍👧", "𠜎𠜱", "a\u0301", "ﬁ ligature", "NULL", "NA", "None", "nan", "1E5", "00123",
    'say "hi"', "comma, comma", "semi;colon", "pipe|pipe", "back\\slash", "'; DROP TABLE x; --", "../../etc/passwd", "C:\\x", "é" * 500,
    "x" * 20_000, "\u2028line", "\ufeffbom", "\x1b[31mred", "bell\x07",
]  # fmt: skip


@pytest.fixture
def dump(tmp_path):
    folder = tmp_path / WEEK
    folder.mkdir()
    with (folder / "candidates.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["product_id", "title", "price", "currency", "brand"])
        for place, title in enumerate(TITLES):
            writer.writerow([f"B0HOSTILE{place:02d}", title, "24.99", "USD", "NA"])
    return folder


def test_titles_and_brands_are_unchanged_in_parquet_but_for_outer_blanks(dump, run):
    result = run(dump, plan="[general]\nset_aside_share_max = 1.0\n")
    aside = {row["line"] for row in pq.read_table(result.folder / "set_aside.parquet").to_pylist()}
    told = pq.read_table(result.folder / "decisions.parquet", columns=["product_id", "title", "brand"]).to_pylist()
    titles = {row["product_id"]: row["title"] for row in told}
    for place, title in enumerate(TITLES):
        if place + 2 not in aside:
            assert titles[f"B0HOSTILE{place:02d}"] == title.strip()
    assert len(aside) + len(titles) == len(TITLES) and len(aside) <= 2
    assert {row["brand"] for row in told} == {"NA"}


def test_no_control_character_reaches_the_terminal(dump, tmp_path, command, run):
    run(dump, plan="[general]\nset_aside_share_max = 1.0\n")
    for arguments in (("rejects",), ("explain", "B0HOSTILE33"), ("explain", "B0HOSTILE09"), ("explain", "B0HOSTILE34")):
        done = command(*arguments, "--data", tmp_path / "data", env={"PYTHONUTF8": "1"})
        assert done.returncode in (0, 13)
        text = done.stdout + done.stderr
        assert all(c.isprintable() or c in "\n\t" for c in text), ascii(text)
    assert all(c.isprintable() or c in "\n\t" for c in command("check", dump).stdout)


def test_every_command_survives_a_bare_environment_in_the_c_locale(dump, tmp_path, command):
    bare = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    (tmp_path / "plan.toml").write_text("[general]\nset_aside_share_max = 1.0\n")
    done = command("run", dump, "--data", tmp_path / "data", "--plan", tmp_path / "plan.toml", env=bare)
    assert done.returncode == 0, done.stderr
    for arguments in (("rejects",), ("explain", "B0HOSTILE11"), ("explain", "B0HOSTILE11", "--json")):
        done = command(*arguments, "--data", tmp_path / "data", env=bare)
        assert done.returncode == 0 and "Traceback" not in done.stderr


@pytest.mark.parametrize("product", ["../../../etc/passwd", "/etc/passwd", "..", "a/b", "CON", "x" * 300])
def test_a_product_id_is_never_a_path(tmp_path, run, command, product):
    folder = tmp_path / WEEK
    folder.mkdir()
    (folder / "candidates.csv").write_text(f"product_id,title,price,currency\n{product},x,24.99,USD\n")
    result = run(folder, plan="[general]\nset_aside_share_max = 1.0\n")
    held = pq.read_table(result.folder / "decisions.parquet", columns=["product_id"]).to_pydict()["product_id"]
    assert held in ([product], [])
    inside = {path.resolve() for path in (tmp_path / "data").rglob("*")}
    assert all(str(path).startswith(str(tmp_path.resolve())) for path in inside)
    assert command("explain", product, "--data", tmp_path / "data").returncode in (0, 13)


def test_a_link_out_of_the_dump_is_refused(tmp_path, make_dump, command):
    dump = make_dump(WEEK)
    secret = tmp_path / "secret.csv"
    secret.write_text("product_id,title,price,currency\nB0SECRET,x,1.00,USD\n")
    (dump / "more.csv").symlink_to(secret)
    done = command("run", dump, "--data", tmp_path / "data")
    assert done.returncode == 11 and "more.csv" in done.stderr and done.stderr.count("\n") == 1
