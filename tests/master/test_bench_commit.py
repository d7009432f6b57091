"""Which commit a page of figures names, and when it says that the checkout is another."""

from __future__ import annotations

import subprocess
from pathlib import Path

from saltern_master.bench.measure import commit


def git(checkout: Path, *arguments: str) -> str:
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")
    command = ["/usr/bin/git", *who, "-C", str(checkout), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def checkout_of(folder: Path) -> Path:
    """Make a repository with a program and a page of figures."""
    git(folder, "init", "--quiet")
    pages = folder / "docs/measured"
    pages.mkdir(parents=True)
    (pages / "page.md").write_text("figures\n")
    (folder / "program.py").write_text("do()\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=all")
    return folder


def test_a_page_written_before_is_no_change(tmp_path: Path) -> None:
    checkout = checkout_of(tmp_path)
    (checkout / "docs/measured/page.md").write_text("other figures\n")

    assert commit(checkout) == git(checkout, "rev-parse", "--short", "HEAD")


def test_a_changed_program_is_said(tmp_path: Path) -> None:
    checkout = checkout_of(tmp_path)
    (checkout / "program.py").write_text("do_other()\n")
    git(checkout, "add", ".")

    assert commit(checkout).endswith(" with changes")


def test_what_is_no_checkout_has_no_commit(tmp_path: Path) -> None:
    assert commit(tmp_path) == "unknown"
