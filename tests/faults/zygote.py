"""A process that has everything loaded and forks a run for each order it reads: whole runs of the command without its start.

Orders are JSON lines on stdin: `words` of the command, `report` (file for what it prints) and `fault` (arguments of `fault_arm`) or null, for
which it prints the process id; or `wait` for a process id, for which it prints exit status and file-system calls seen; or `warm`, words of
a command that it runs itself, so that every child finds patterns and templates compiled, for which it prints the exit code.
"""

import contextlib
import ctypes
import io
import json
import mmap
import os
import signal
import sys
import traceback


def main():
    import pipeline.unattended.history  # noqa: F401 - loads all that a run loads
    from pipeline import cli
    from pipeline.config.files import load_configs
    from pipeline.ingest.sources import recognition
    from pipeline.runs import read_task

    load_configs()
    for source in read_task.sources():
        for rule in source.columns.values():
            for header in rule.headers:
                recognition.fold(header)
    shared = mmap.mmap(-1, 8)
    counter = ctypes.c_long.from_buffer(shared)
    shim = ctypes.CDLL(os.environ["LD_PRELOAD"]) if os.environ.get("LD_PRELOAD") else None
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            print(json.dumps([os.waitstatus_to_exitcode(status), counter.value]), flush=True)
            continue
        if "warm" in order:
            print(json.dumps(warmed(order["warm"], cli)), flush=True)
            continue
        counter.value = 0
        child = os.fork()
        if not child:
            run(order, cli, shim, counter)
        print(child, flush=True)


def warmed(words, cli):
    sys.argv = ["shortlist", *words, "--quiet"]
    with contextlib.redirect_stdout(io.StringIO()):
        return ended(cli)


def run(order, cli, shim, counter):
    report = os.open(order["report"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(report, 1)
    os.dup2(report, 2)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    sys.argv = ["shortlist", *order["words"]]
    if order["fault"] is not None:
        folder, n, code, forever, is_short = order["fault"]
        shim.fault_arm(folder.encode(), ctypes.c_long(n), code, int(forever), int(is_short), ctypes.byref(counter))
    os._exit(ended(cli))


def ended(cli):
    """Exit code of the command in `sys.argv`."""
    try:
        cli.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:  # noqa: BLE001 - a traceback is what the test looks for
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main()
