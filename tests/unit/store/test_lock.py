"""One holder at a time, told by name; the kernel frees the lock of a dead one."""

import os
import subprocess
import sys

import pytest

from pipeline.errors import Locked, NotWritten
from pipeline.store import lock


def test_a_second_holder_is_told_who_the_first_is(tmp_path):
    with lock.hold(tmp_path):
        with pytest.raises(Locked, match=f"another run holds the lock \\(process {os.getpid()} on .+ since 2.+ UTC\\)") as refusal:
            lock.hold(tmp_path).__enter__()
        assert refusal.value.exit_code == 75
        assert str(os.getpid()) in lock.holder(tmp_path)
    assert lock.holder(tmp_path) is None
    with lock.hold(tmp_path):
        pass


def test_a_killed_holder_frees_it(tmp_path, root):
    code = f"from pathlib import Path; from pipeline.store import lock; held = lock.hold(Path({str(tmp_path)!r})); held.__enter__(); print(1, flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root)
    process.stdout.readline()
    with pytest.raises(Locked, match=f"process {process.pid} "):
        lock.hold(tmp_path).__enter__()
    process.kill()
    process.communicate()
    with lock.hold(tmp_path):
        pass


def test_a_disk_without_locks_and_a_link_in_its_place_are_refused(tmp_path, monkeypatch):
    import errno
    import fcntl

    def no_locks(handle, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", no_locks)
        with pytest.raises(NotWritten, match="a disk that knows file locks"):
            lock.hold(tmp_path / "a").__enter__()
    (tmp_path / lock.NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotWritten):
        lock.hold(tmp_path).__enter__()
    assert not (tmp_path / "elsewhere").exists()


def test_finding_the_lock_loads_none_of_the_heavy_libraries(root):
    code = (
        "import sys; import pipeline.cli, pipeline.unattended.supervisor, pipeline.store.lock; "
        "print(sorted({'pandas', 'numpy', 'pyarrow', 'pydantic', 'structlog', 'apprise', 'urllib.request'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert told.stdout.strip() == "[]"
