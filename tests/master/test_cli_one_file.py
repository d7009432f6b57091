"""One file, by its place or by -f: either is taken, both are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_master.cli import app
from saltern_master.cli.one_file import needed_file, one_file
from saltern_master.cli.refusals import UsageError
from typer.testing import CliRunner

A, B = Path("a"), Path("b")


@pytest.mark.parametrize(("given", "option", "file"), [(A, None, A), (None, B, B)])
def test_either_is_taken(given: Path | None, option: Path | None, file: Path) -> None:
    assert one_file(given, option) == file
    assert needed_file(given, option) == file


def test_neither_is_none_where_none_is_needed() -> None:
    assert one_file(None, None) is None
    with pytest.raises(UsageError, match="name one, such as"):
        needed_file(None, None)


@pytest.mark.parametrize(("command", "status"), [("apply", 2), ("plan", 1)])
def test_both_are_refused_before_anything_is_asked(command: str, status: int) -> None:
    done = CliRunner().invoke(app, [command, "a", "-f", "b"])

    assert done.exit_code == status
    assert "cannot take both a and b: name one file" in done.stderr
