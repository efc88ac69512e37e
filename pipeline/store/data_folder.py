"""The data folder: commits runs as immutable folders and moves the pointer of each week.

A run is written under a temporary name, synced, renamed and never changed. The pointer `shortlists/<week>` is a symbolic link that is
replaced in one step. A kill at any moment leaves the old list or the new one complete, and the next run removes the leftovers.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import NotWritten
from pipeline.store import lock
from pipeline.store.disk import TEMPORARY, kept, make_folders, move_folder, remove, sync_folder, sync_tree, written
from pipeline.store.files import write_files
from pipeline.store.kept_weeks import KeptWeeks
from pipeline.store.parquet import CURE
from pipeline.store.verification import damaged_outputs

# Keys of an earlier run's manifest that the program reads without a check; `read_manifest` checks them once.
_MANIFEST_KEYS = {"week": str, "run_id": str, "sample": bool, "verdicts": dict, "options": dict, "outputs": dict, "new": int, "gone": int}


@dataclass(frozen=True)
class DataFolder:
    """A data folder: `dumps/` in, `runs/` and `shortlists/` out, `store/` between the weeks."""

    root: Path

    @property
    def dumps(self) -> Path:
        """The folder of the dumps, one folder per week."""
        return self.root / "dumps"

    @property
    def kept(self) -> KeptWeeks:
        """The history store: observations of earlier weeks."""
        return KeptWeeks(self.root / "store" / "weeks")

    @property
    def earlier_history(self) -> Path | None:
        """The folder in which an earlier version kept prices; None where there is none."""
        folder = self.root / "store" / "history"
        return folder if folder.is_dir() else None

    def lock(self) -> AbstractContextManager[None]:
        """Lock the folder for one run; the kernel frees the lock when its holder dies. Raises `Locked` without waiting."""
        return lock.hold(self.root)

    def sweep(self) -> tuple[Path, ...]:
        """Remove the leftovers of killed runs; only the holder of the lock may call it. Returns leftovers of another user, which stay.

        Raises
        ------
        NotWritten
            `runs/`, `shortlists/` or `store/` is a link, or a pointer is a folder: a copy of the data folder has followed links.
        """
        for name in ("runs", "shortlists", "store"):
            if (self.root / name).is_symlink():
                raise NotWritten(f"{self.root / name}: a link; the data folder must hold the folder itself, move it there")
        pointers = self.root / "shortlists"
        for path in pointers.iterdir() if pointers.is_dir() else ():
            if not path.is_symlink():
                raise NotWritten(f"{path}: a copy where a link into runs/ belongs; move it away, then run again (its files are in runs/)")
        foreign = []
        with written(self.root):
            for folder in (
                self.root,
                pointers,
                *(self.root / "runs").glob("*"),
                *(self.root / "store").glob("*"),
                *(self.root / "store").glob("*/*"),
            ):
                for orphan in folder.glob(f"{TEMPORARY}*") if folder.is_dir() else ():
                    try:
                        remove(orphan)
                    except PermissionError:
                        foreign.append(orphan)
        self.kept.sweep()
        return tuple(foreign)

    @contextlib.contextmanager
    def work_folder(self) -> Iterator[Path]:
        """A temporary folder for spills; removed at the end, also after an error."""
        # The name is known before the folder exists, so that a signal at any moment still removes it. No two runs of one process share
        # a name, because workers cache data of a run by this folder.
        folder = self.root / f"{TEMPORARY}work-{secrets.token_hex(8)}"
        try:
            with written(folder):
                folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def current(self, week: str) -> Path | None:
        """The folder of the week's current run, or None."""
        pointer = self.root / "shortlists" / week
        if not pointer.is_symlink():
            return None
        # Only the name of the link is used: a link to another folder is not followed.
        target = self.root / "runs" / week / pointer.readlink().name
        return target if (target / "run.json").is_file() else None

    def run(self, week: str | None, run_id: str | None) -> Path | None:
        """The folder of one run of a week, or None."""
        folder = self.root / "runs" / (week or "") / (run_id or "")
        return folder if week and run_id and (folder / "run.json").is_file() else None

    def weeks(self) -> list[str]:
        """Weeks with a current run, oldest first."""
        folder = self.root / "shortlists"
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        return [name for name in names if self.current(name) is not None]

    def commit_run(self, week: str, run_id: str, filled: Path) -> Path:
        """Move a filled work folder to the week's runs, then move the pointer to it.

        `filled` is inside the data folder (see `work_folder`) and holds only the run's files.
        """
        runs, pointers = self.root / "runs" / week, self.root / "shortlists"
        final = runs / run_id
        with written(final):
            make_folders(runs)
            make_folders(pointers)
            sync_tree(filled)
            if final.exists() and not self._is_damaged(final):  # the same run exists, and another one was current since
                shutil.rmtree(filled)
            else:
                if final.exists():
                    final.rename(runs / f"{TEMPORARY}{run_id}")
                move_folder(filled, final)
                sync_folder(runs)
                shutil.rmtree(runs / f"{TEMPORARY}{run_id}", ignore_errors=True)
        self.point(week, run_id)
        return final

    def _is_damaged(self, run: Path) -> bool:
        """Whether an output of a run is missing or differs from its recorded digest."""
        try:
            return bool(damaged_outputs(run, read_manifest(run)))
        except NotWritten:
            return True

    def commit_model(self, kind: str, name: str, files: Mapping[str, bytes]) -> Path:
        """Keep a fitted model in an immutable folder, then move the pointer to it; the same model is kept once."""
        folder = self.root / "store" / "models" / kind
        final, link = folder / name, folder / f"{TEMPORARY}current"
        if not final.is_dir():
            write_files(final, ((file, [content]) for file, content in files.items()))
        with written(folder):
            link.unlink(missing_ok=True)
            link.symlink_to(name)
            link.replace(folder / "current")
            sync_folder(folder)
        return final

    def model(self, kind: str) -> Path | None:
        """The folder of the current model of this kind, or None."""
        pointer = self.root / "store" / "models" / kind / "current"
        if not pointer.is_symlink():
            return None
        # Only the name of the link is used: a link to another folder is not followed.
        target = pointer.parent / pointer.readlink().name
        return target if target.is_dir() else None

    def runs(self) -> list[tuple[str, Path]]:
        """Every complete run with its week, ordered by week and, within a week, by the time it was made."""
        found = [path for path in (self.root / "runs").glob("*/*/run.json") if not path.parent.name.startswith(TEMPORARY)]
        found = sorted(found, key=lambda path: (path.parent.parent.name, path.stat().st_mtime_ns, path.parent.name))
        return [(path.parent.parent.name, path.parent) for path in found]

    def point(self, week: str, run_id: str) -> None:
        """Move the week's pointer to an existing run."""
        pointers = self.root / "shortlists"
        with written(pointers / week):
            link = pointers / f"{TEMPORARY}{week}"
            link.unlink(missing_ok=True)
            link.symlink_to(Path("..") / "runs" / week / run_id)
            link.replace(pointers / week)
            sync_folder(pointers)

    def remove_run(self, week: str, run: Path) -> None:
        """Remove a run, its pointer first, so that nobody sees an incomplete run."""
        pointer, gone = self.root / "shortlists" / week, run.with_name(f"{TEMPORARY}{run.name}")
        with written(run):
            if self.current(week) == run:
                pointer.unlink()
                sync_folder(pointer.parent)
            run.rename(gone)
            shutil.rmtree(gone)
            sync_folder(run.parent)
            if not any(run.parent.iterdir()):
                run.parent.rmdir()
                sync_folder(run.parent.parent)

    def manifest(self, week: str) -> dict[str, Any] | None:
        """`run.json` of the week's current run, or None."""
        folder = self.current(week)
        return read_manifest(folder) if folder is not None else None


def read_manifest(run: Path) -> dict[str, Any]:
    """`run.json` of a run's folder; raises `NotWritten` where it is damaged or cannot be read."""
    with kept(run / "run.json", CURE):
        held = json.loads((run / "run.json").read_text(encoding="utf-8"))
        wrong = [key for key, kind in _MANIFEST_KEYS.items() if not isinstance(held, dict) or not isinstance(held.get(key), kind)]
        if wrong:
            raise ValueError(wrong[0])  # `kept` reports it as damage
        return dict(held)
