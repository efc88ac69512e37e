"""Make `.venv`, detect when it is damaged or outdated, and repair it. Uses the standard library only.

    .venv/bin/python tools/environment.py check run      exit 0 when .venv has all that `make shortlist` needs
    python3 tools/environment.py install dev             install what requirements/dev.txt lists

`make` runs the first with the environment's own Python and, only if that fails, the second with the machine's. `.venv` holds copies of
the files from which it was installed. They are removed before anything changes and written last, so an interrupted set-up never looks
like a finished one.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = {"run": ("run",), "dev": ("dev", "run")}  # dev.txt contains all of run.txt in the same versions
LOG = "setup.log"
FINISHED = "set-up-finished.json"
RENEW = "+"
# Settings of the user's pip or Python that would install packages outside .venv.
MISLEADING = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_DRY_RUN", "PIP_NO_DEPS", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
NO_NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|Max retries exceeded|Connection broken|Name or service not known|"
    r"Temporary failure in name resolution|Network is unreachable|ProxyError|No matching distribution found"
)


class SetupStopped(Exception):
    """The environment cannot be made; the message is the one line that a person reads."""


def wanted(root: Path, kind: str) -> dict[str, bytes]:
    """File name inside `.venv` -> the content that it has when the environment is up to date."""
    stamps = {f"installed-{lock}.txt": (root / "requirements" / f"{lock}.txt").read_bytes() for lock in KINDS[kind]}
    stamps["installed-project.toml"] = (root / "pyproject.toml").read_bytes()
    return stamps


def identity(venv: Path) -> dict[str, object]:
    """The path of the environment and its Python version; scripts in the environment contain both."""
    return {"place": str(venv), "python": list(sys.version_info[:2])}


def damage(locked: list[str], place: Path | None = None) -> str:
    """First file of the locked packages that is missing or does not have its installed size; empty if there is none.

    Runs inside the environment, whose packages it looks at; `place` looks at another folder of packages instead.
    """
    found = importlib.metadata.distributions(path=[str(place)]) if place else importlib.metadata.distributions()
    installed = {_plain(d.metadata["Name"] or ""): d for d in found}
    for name in locked:
        if name not in installed:
            return f"{name} is not installed"
        distribution = installed[name]
        record = distribution.read_text("RECORD")
        if not record:
            return f"{name} is half installed"
        for row in csv.reader(record.splitlines()):
            if len(row) < 3 or row[0].endswith(".pyc"):  # compiled files may be missing
                continue
            try:
                size = Path(str(distribution.locate_file(row[0]))).stat().st_size
            except OSError:
                return f"{name} has lost {row[0]}"
            if row[2] and size != int(row[2]):
                return f"{name}: {row[0]} is not as it was installed"
    return ""


def locked_names(lock: str) -> set[str]:
    """Packages in a lock file, for any Python and system."""
    return {_plain(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)}


def check(root: Path, kind: str) -> str:
    """Why `.venv` cannot be used; empty if it can. Runs with the environment's own Python.

    What begins with RENEW can be mended by installing on top; anything else wants a new environment.
    """
    venv = root / ".venv"
    if Path(sys.prefix).resolve() != venv.resolve():
        return "it is not an environment of its own"
    if sys.version_info < (3, 11) or importlib.util.find_spec("pip") is None:
        return "its Python or its pip is missing"
    try:
        facts = json.loads(_read(venv / FINISHED) or b"{}")
        packages = facts.pop("packages")
    except (ValueError, KeyError):
        return RENEW + "its set-up was not finished"
    if facts != identity(venv):
        return "it was moved, or its Python was changed"
    if any(_read(venv / name) != content for name, content in wanted(root, kind).items()):
        return RENEW + "requirements have changed"
    return damage(packages)


def install(root: Path, kind: str) -> None:
    """Make or repair `.venv`; an undamaged environment is updated, a damaged one made from nothing."""
    venv = root / ".venv"
    with _one_at_a_time(root):
        why = _ask_environment(root, kind)
        if not why:  # another make has done it while this one waited
            return
        if why.startswith(RENEW):
            _tell(f"bringing .venv up to date ({why.removeprefix(RENEW)})")
            _fill(root, kind)
            why = _ask_environment(root, kind)
        if why:
            broken = f"mending .venv ({why}): " if venv.exists() or venv.is_symlink() else ""
            version = "{}.{}".format(*sys.version_info[:2])
            _tell(f"{broken}setting up .venv with Python {version}; this takes about a minute, once")
            _remove(venv)
            _run([sys.executable, "-I", "-m", "venv", str(venv)], root)
            _fill(root, kind)
            why = _ask_environment(root, kind)
        if why:
            raise SetupStopped(f"{why} right after it was installed (a full disk?); see to it, then run make again")


def _fill(root: Path, kind: str) -> None:
    """Install the locked packages, then the project; the copies that mark the end are written last."""
    venv = root / ".venv"
    for stamp in (venv / FINISHED, *venv.glob("installed-*")):
        stamp.unlink(missing_ok=True)
    python = str(venv / "bin" / "python")
    pip = [python, "-I", "-m", "pip", "install", "--quiet", "--no-input", "--no-warn-script-location"]
    _run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", f"requirements/{kind}.txt"], root)
    _run([*pip, "--no-index", "--no-deps", "--no-build-isolation", "--editable", "."], root)
    for name, content in wanted(root, kind).items():
        (venv / name).write_bytes(content)
    _run([python, "-I", str(root / "tools" / "environment.py"), "finish", kind], root)


def finish(root: Path, kind: str) -> None:
    """Record that the set-up is complete, and its packages. Runs with the environment's own Python."""
    names = locked_names((root / "requirements" / f"{kind}.txt").read_text("utf-8")) | {"shortlist"}
    here = {_plain(d.metadata["Name"] or "") for d in importlib.metadata.distributions()}
    facts = identity(root / ".venv") | {"packages": sorted(names & here)}
    (root / ".venv" / FINISHED).write_text(json.dumps(facts), "utf-8")


def _ask_environment(root: Path, kind: str) -> str:
    """Run `check` with the environment's own Python."""
    python = root / ".venv" / "bin" / "python"
    command = [str(python), "-I", str(root / "tools" / "environment.py"), "why", kind]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "its Python is missing"
    return "its Python does not run" if answer.returncode else answer.stdout.strip()


def _run(command: list[str], root: Path) -> None:
    """Run one step with its output in `.venv/setup.log`; raises `SetupStopped` with one line on failure."""
    environment = {key: value for key, value in os.environ.items() if key not in MISLEADING}
    environment |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0", "PIP_ROOT_USER_ACTION": "ignore", "PYTHONUTF8": "1"}
    answer = subprocess.run(
        command,
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    log = root / ".venv" / LOG
    if log.parent.is_dir():
        log.write_text(answer.stdout, "utf-8")
    if answer.returncode:
        raise SetupStopped(_one_line(answer.stdout))


def _one_line(said: str) -> str:
    """The error of pip or venv and what to do, in one line."""
    details = f"details in .venv/{LOG}"
    if "DO NOT MATCH THE HASHES" in said:
        return f"a package is not the one that requirements/ names (its hash differs); try another index; {details}"
    if "No space left" in said:
        return "the disk is full; free about 1 GB, then run make again"
    if NO_NETWORK.search(said):
        return f"packages cannot be fetched (no network, or no build for this system); connect, then run make again; {details}"
    complaints = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in complaints if line.upper().startswith("ERROR")]
    return f"{(errors or complaints or ['no reason given'])[-1]}; {details}"


@contextlib.contextmanager
def _one_at_a_time(root: Path) -> Iterator[None]:
    """Hold a lock that the kernel frees when this process ends; no lock file is left over."""
    descriptor = os.open(root / "requirements", os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _tell("another make is setting up .venv; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            pass  # a file system without locks: the check afterwards still finds a damaged environment
        yield
    finally:
        os.close(descriptor)


def _remove(venv: Path) -> None:
    """Remove a damaged environment; also a link or a file of its name."""
    if venv.is_symlink() or venv.is_file():
        venv.unlink()
    elif venv.exists():
        shutil.rmtree(venv)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")


def main(arguments: list[str]) -> int:
    """Arguments: what to do (check, why, install, finish) and for what (run, dev)."""
    task, kind = arguments
    try:
        if task == "check":
            return 1 if check(ROOT, kind) else 0
        if task == "why":
            sys.stdout.write(check(ROOT, kind))
        elif task == "finish":
            finish(ROOT, kind)
        else:
            install(ROOT, kind)
    except (SetupStopped, OSError) as error:
        _tell(f"setup stopped: {error}")
        return 1
    except KeyboardInterrupt:
        _tell("setup interrupted; run make again, it starts afresh")
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
