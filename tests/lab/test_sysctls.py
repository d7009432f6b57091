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


def inotify(tmp_path: Path, instances: int, watches: int) -> Path:
    (tmp_path / "fs/inotify").mkdir(parents=True)
    (tmp_path / "fs/inotify/max_user_instances").write_text(f"{instances}\n")
    (tmp_path / "fs/inotify/max_user_watches").write_text(f"{watches}\n")
    return tmp_path


def test_inotify_is_raised_where_it_is_low_and_put_back(tmp_path: Path) -> None:
    kernel = inotify(tmp_path, 128, 1_000_000)
    before = sysctls.remember(kernel)
    assert list(sysctls.raise_inotify(kernel)) == [
        "fs.inotify.max_user_instances is raised from 128 to 8192 until the last lab is down"
    ]
    assert (kernel / "fs/inotify/max_user_instances").read_text() == "8192\n"
    assert (kernel / "fs/inotify/max_user_watches").read_text() == "1000000\n"
    assert list(sysctls.raise_inotify(kernel)) == []
    assert sysctls.restore(before, kernel) == ("fs/inotify/max_user_instances",)
    assert sysctls.remember(kernel) == before


def test_inotify_that_may_not_be_raised_is_told(tmp_path: Path) -> None:
    kernel = inotify(tmp_path, 8192, 1_000_000)
    low = kernel / "fs/inotify/max_user_instances"
    low.unlink()
    low.symlink_to("/proc/sys/kernel/cap_last_cap")  # a small number that not even root may write
    told = "".join(sysctls.raise_inotify(kernel))
    assert told.startswith("cannot raise fs.inotify.max_user_instances from ")
    assert told.endswith("set it to 8192 yourself")


def test_a_kernel_without_inotify_is_left_as_it_is(kernel: Path) -> None:
    assert list(sysctls.raise_inotify(kernel)) == []
