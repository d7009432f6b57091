"""What a lab remembers: whole records, identities of processes, one lock."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from saltern_master.lab import LabError, state

RECORD = state.Lab("demo", "saltern7", "10.9.7.0/24", "/rootfs", {"w1": "10.9.7.21"}, {"a": "1\n"})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert state.read("demo", tmp_path) is None
    state.write(RECORD, tmp_path)
    assert state.read("demo", tmp_path) == RECORD
    assert state.names(tmp_path) == ("demo",)
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["lab.json"]


def test_a_record_that_is_not_understood_is_told(tmp_path: Path) -> None:
    state.write(RECORD, tmp_path)
    path = tmp_path / "demo/lab.json"
    path.write_bytes(path.read_bytes().replace(b'"format"', b'"shape"'))
    with pytest.raises(LabError, match=r"cannot read .*lab\.json"):
        state.read("demo", tmp_path)


def test_a_process_is_known_by_more_than_its_pid() -> None:
    with subprocess.Popen(["/usr/bin/sleep", "60"]) as process:
        me = _identity(process.pid)
        assert state.is_alive(me)
        assert not state.is_alive(msgspec.structs.replace(me, start=me.start + 1))
        assert not state.is_alive(msgspec.structs.replace(me, boot="another"))

        state.kill(msgspec.structs.replace(me, start=me.start + 1))
        assert process.poll() is None, "killed a process that only had the pid"
        state.kill(me)
        assert process.wait(timeout=5) == -9
    assert not state.is_alive(me)
    state.kill(me)  # it is gone, so that is that


def _identity(pid: int) -> state.Supervisor:
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return state.Supervisor(pid, int(stat[19]), boot)


HOLD = """
import sys
from pathlib import Path
from saltern_master.lab import state
with state.lock("demo", locks=Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_keeps_others_out_and_dies_with_its_holder(tmp_path: Path) -> None:
    line = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LabError, match="cannot get the lab demo"):
            _take(tmp_path)
        holder.kill()
    assert (tmp_path / "saltern-lab-demo.lock").exists(), "it had no time to clean up"
    _take(tmp_path)
    assert list(tmp_path.iterdir()) == []


def _take(locks: Path) -> None:
    with state.lock("demo", seconds=0.2, locks=locks) as descriptor:
        os.fstat(descriptor)
