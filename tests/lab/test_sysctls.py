"""What nodes share with the host is put back, and nothing else is touched."""

from pathlib import Path

import pytest
from saltern_master.lab import sysctls


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    for name, value in {"kernel/panic": "0", "vm/swappiness": "60", "net/other": "1"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{value}\n")
    return tmp_path


def test_what_this_kernel_has_of_them_is_remembered(kernel: Path) -> None:
    assert sysctls.remember(kernel) == {"kernel/panic": "0\n", "vm/swappiness": "60\n"}


def test_what_changed_is_put_back_and_named(kernel: Path) -> None:
    before = sysctls.remember(kernel)
    (kernel / "kernel/panic").write_text("10\n")
    assert sysctls.restore(before, kernel) == ("kernel/panic",)
    assert sysctls.remember(kernel) == before
    assert sysctls.restore(before, kernel) == ()


def test_a_record_cannot_name_other_files(kernel: Path) -> None:
    assert sysctls.restore({"net/other": "2\n", "../x": "3"}, kernel) == ()
    assert (kernel / "net/other").read_text() == "1\n"
    assert not (kernel.parent / "x").exists()
