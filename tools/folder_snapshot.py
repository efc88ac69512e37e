"""The contents of a folder as one value, for comparison in tests."""

import json


def everything(folder):
    """Everything below a folder: bytes of files, targets of links, None for folders; without the lock and the timings of `run.json`."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.name == "run.json":
            found[name] = _without_timings(path.read_bytes())
        elif name != ".lock":
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def _without_timings(content):
    try:
        return {key: value for key, value in json.loads(content).items() if key != "timings"}
    except ValueError:  # incomplete, in the work folder of a run that was stopped
        return content


def list_of(data, week):
    """The files of the week's current run."""
    return everything((data / "shortlists" / week).resolve())
