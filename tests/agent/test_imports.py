"""What the agent's process loads: each library is memory on every node, and time at its start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from saltern_agent.host.memory import proportional_set_size

HEAVY = (
    "asyncio",
    "multiprocessing",
    "psutil",
    "pyroute2.iproute",
    "pyroute2.ndb",
    "saltern_agent.upgrade.begin",
    "urllib.request",
    "zipfile",
)


def test_the_agent_loads_no_library_that_it_hardly_uses() -> None:
    code = (
        f"import sys, saltern_agent.__main__; print(*sorted({set(HEAVY)!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


# In a process of its own: what other tests left may be given back while this one counts.
TOUCHES = """
import os
from saltern_agent.host.memory import proportional_set_size
before = proportional_set_size(os.getpid())
touched = bytearray(32 << 20)
print(proportional_set_size(os.getpid()) - before)
"""


def test_memory_that_is_touched_is_counted() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TOUCHES], capture_output=True, text=True, timeout=50, check=True
    )
    assert 30 << 20 < int(done.stdout) < 40 << 20


def test_a_process_that_is_gone_has_no_memory() -> None:
    with subprocess.Popen(["/bin/true"]) as ended:
        pass
    assert not Path(f"/proc/{ended.pid}").exists()
    with pytest.raises(FileNotFoundError):
        proportional_set_size(ended.pid)
