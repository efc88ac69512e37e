"""Where the program's own files are: in a clone of the repository, or inside an installed package."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
# A wheel holds `configs/` here (pyproject.toml); a clone, also one that is installed as editable, never does.
_SHIPPED = PACKAGE / "_configs"
CLONE = None if _SHIPPED.is_dir() else PACKAGE.parent
CONFIGS = _SHIPPED if CLONE is None else CLONE / "configs"
DEFAULT_PLAN = CONFIGS / "shortlist.toml"
TEMPLATES = PACKAGE / "publish" / "report" / "templates"
# The folder from which `python -m pipeline` finds this very package.
IMPORT_ROOT = PACKAGE.parent
OWN_PLAN = "shortlist.toml"


def default_data() -> Path:
    """The data folder of a command without `--data`: that of the clone, else `data` in the current folder."""
    return Path("data") if CLONE is None else CLONE / "data"


def default_plan() -> Path | None:
    """The own plan of a command without `--plan`: none in a clone, else `shortlist.toml` of the current folder where there is one."""
    path = Path(OWN_PLAN)
    return path if CLONE is None and path.is_file() else None


def logical_name(path: Path) -> str:
    """The name of a file of the program that is the same in a clone and in an installed package."""
    if path.is_relative_to(CONFIGS):
        return "configs/" + path.relative_to(CONFIGS).as_posix()
    return "pipeline/" + path.relative_to(PACKAGE).as_posix()
