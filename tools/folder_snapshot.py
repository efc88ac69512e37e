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
            found[name] = _without_timings(path.read_bytes())
        elif name != ".lock":
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def _without_timings(content):
    try:
        return {key: value for key, value in json.loads(content).items() if key != "timings"}
    except ValueError:  # cut off, in the work folder of a run that was stopped
        return content


def list_of(data, week):
    """The files of a week's list in force."""
    return everything((data / "shortlists" / week).resolve())
