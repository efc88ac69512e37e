"""Verification of a run's folder: each output must have the size and the SHA-256 that the run recorded.

Hashing a large run takes a second, so a file is hashed once and then recognised by its size, times and inode (`Checked`). The two files for
people may be written again in another language; `rewritten.json` in the run's folder holds the digests of these (decision 0025).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.store.disk import replace_file
from pipeline.store.files import content_or_none, file_digest

REWRITTEN = "rewritten.json"
_CHECKED = Path("store") / "verified.json"
_RUNS_REMEMBERED = 200

Stamp = list[int]  # size, modification and change time in nanoseconds, inode


class Checked:
    """What was hashed before: run folder -> file -> its stamp at that time. A damaged or missing record means that all is hashed again."""

    def __init__(self, root: Path) -> None:
        self._path = root / _CHECKED
        self._runs = _read_object(self._path)
        self._is_changed = False

    @classmethod
    def nothing(cls) -> Checked:
        """A record that holds nothing, for a reader who wants every file hashed."""
        return cls(Path(os.devnull) / "none")

    def is_known(self, run: Path, name: str, stamp: Stamp) -> bool:
        """Whether this very file was found whole before."""
        entry = self._runs.get(_key(run))
        return isinstance(entry, dict) and entry.get(name) == stamp

    def remember(self, run: Path, stamps: Mapping[str, Stamp]) -> None:
        """Record a run in which every file was found whole."""
        if self._runs.get(_key(run)) != stamps:
            self._runs.pop(_key(run), None)
            self._runs[_key(run)] = dict(stamps)
            self._is_changed = True

    def save(self) -> None:
        """Write the record; only the holder of the lock may call it."""
        if self._is_changed and self._path.parent.is_dir():
            newest = dict(list(self._runs.items())[-_RUNS_REMEMBERED:])
            replace_file(self._path, json.dumps(newest).encode())


def damaged_outputs(run: Path, manifest: Mapping[str, Any], checked: Checked) -> list[str]:
    """Names of the outputs that are missing or differ from what the run recorded, in order.

    Parameters
    ----------
    run : the run's folder.
    manifest : its `run.json`; `outputs` holds SHA-256 by file name, `output_bytes` (absent in runs of earlier versions) the sizes.
    checked : files found whole before; the run is added when nothing is damaged.
    """
    sizes: Mapping[str, int] = manifest.get("output_bytes") or {}
    rewritten = _read_object(run / REWRITTEN)
    damaged, stamps = [], {}
    for name, digest in sorted(manifest["outputs"].items()):
        try:
            stamps[name] = stamp = _stamp(run / name)
            if checked.is_known(run, name, stamp):
                continue
            others = rewritten.get(name)
            accepted = {digest, *(others if isinstance(others, list) else ())}
            # A rewritten file may have any size; of the others the size alone finds most damage without reading them.
            if (len(accepted) == 1 and sizes.get(name, stamp[0]) != stamp[0]) or file_digest(run / name)[1] not in accepted:
                damaged.append(name)
        except OSError:
            damaged.append(name)
    if not damaged:
        checked.remember(run, stamps)
    return damaged


def record_written(root: Path, run: Path, manifest: Mapping[str, Any]) -> None:
    """Record a run that was just committed as whole: its outputs were hashed while they were written."""
    checked = Checked(root)
    checked.remember(run, {name: _stamp(run / name) for name in sorted(manifest["outputs"])})
    checked.save()


def record_rewritten(run: Path, digests: Mapping[str, str]) -> None:
    """Accept these digests of the files for people beside the recorded ones; written before the files themselves are replaced."""
    held = _read_object(run / REWRITTEN)
    for name, digest in digests.items():
        before = held.get(name)
        held[name] = sorted({digest, *(before if isinstance(before, list) else ())})
    replace_file(run / REWRITTEN, (json.dumps(held, sort_keys=True, indent=1) + "\n").encode())


def _key(run: Path) -> str:
    return f"{run.parent.name}/{run.name}"


def _stamp(path: Path) -> Stamp:
    found = path.lstat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _read_object(path: Path) -> dict[str, Any]:
    try:
        held = json.loads(content_or_none(path) or b"{}")
    except (OSError, ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}
