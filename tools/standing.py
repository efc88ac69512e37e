"""What stands in a folder, to be compared as a whole."""

import json


def everything(folder):
    """All that lies below a folder: bytes of files, targets of links, None for folders; but for the lock and the seconds of a run."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.name == "run.json":
            found[name] = {key: value for key, value in json.loads(path.read_text(encoding="utf-8")).items() if key != "timings"}
        elif name != ".lock":
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def list_of(data, week):
    """The files of a week's list in force."""
    return everything((data / "shortlists" / week).resolve())
