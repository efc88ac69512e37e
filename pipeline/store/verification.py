"""Verification of a run's folder: each output must have the size and the SHA-256 that the run recorded.

The size is compared first, so most damage is found without reading. Earlier checks are not recorded: a run that is up to date writes
nothing, and hashing a gigabyte takes half a second. The report and the workbook may be written again in another language;
`rewritten.json` in the run's folder holds their digests (decision 0025).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.store.disk import replace_file
from pipeline.store.files import content_or_none, file_digest

REWRITTEN = "rewritten.json"


def damaged_outputs(run: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Names of the outputs that are missing or differ from what the run recorded, in order.

    Parameters
    ----------
    run : the run's folder.
    manifest : its `run.json`; `outputs` holds SHA-256 by file name, `output_bytes` (absent in runs of earlier versions) the sizes.
    """
    sizes: Mapping[str, int] = manifest.get("output_bytes") or {}
    rewritten = _read_object(run / REWRITTEN)
    damaged = []
    for name, digest in sorted(manifest["outputs"].items()):
        others = rewritten.get(name)
        accepted = {digest, *(others if isinstance(others, list) else ())}
        try:
            size = (run / name).lstat().st_size
            # A rewritten file may have any size.
            is_whole = (len(accepted) > 1 or sizes.get(name, size) == size) and file_digest(run / name)[1] in accepted
        except OSError:
            is_whole = False
        if not is_whole:
            damaged.append(name)
    return damaged


def record_rewritten(run: Path, digests: Mapping[str, str]) -> None:
    """Accept these digests of the report and the workbook besides the recorded ones; called before the files are replaced."""
    held = _read_object(run / REWRITTEN)
    for name, digest in digests.items():
        before = held.get(name)
        held[name] = sorted({digest, *(before if isinstance(before, list) else ())})
    replace_file(run / REWRITTEN, (json.dumps(held, sort_keys=True, indent=1) + "\n").encode())


def _read_object(path: Path) -> dict[str, Any]:
    try:
        held = json.loads(content_or_none(path) or b"{}")
    except (OSError, ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}
