"""What an OSError means is told in words; never that nothing failed."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest
from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.host.disk import DiskFiles
from saltern_agent.host.reasons import reason, telling
from saltern_states.ports import HostError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EROFS, "x"), "its filesystem is read-only; mount it read-write"),
        (OSError(errno.EIO, "x"), f"input/output error (errno {errno.EIO})"),
        (io.UnsupportedOperation("File or stream is not seekable."), "not seekable"),
        (OSError("what Python says"), "what Python says"),
        (OSError(), "OSError"),
        (OSError(0, "Error"), "Error"),
    ],
    ids=repr,
)
def test_a_reason_is_given(error: OSError, said: str) -> None:
    assert said in reason(error)
    assert "success" not in reason(error)
    with pytest.raises(HostError, match=r"^cannot read /a: "), telling("read", "/a"):
        raise error


@pytest.mark.system
@pytest.mark.parametrize("question", ["look", "read"])
def test_a_kernel_log_is_no_file_that_one_waits_for(tmp_path: Path, question: str) -> None:
    """/proc/kmsg is a regular file whose end never comes; it takes a root that may read it."""
    path = Path("/proc/kmsg")
    if os.geteuid() != 0:
        pytest.skip("not root")
    with pytest.raises(HostError) as caught:
        getattr(DiskFiles(DiskBlobs(tmp_path)), question)(path)
    assert str(caught.value).startswith("cannot read /proc/kmsg: ")
    assert "success" not in str(caught.value)
