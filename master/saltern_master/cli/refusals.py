"""Exit statuses of saltern's own commands, and how errors are told.

0   done
1   it could not be done; the text says why and what to do; status, drift: something is not as
    declared
2   the command line, or a file that a person wrote, is wrong; every fault is told
3   some node was not reached, or not all were done in time (apply, node remove, status); a root
    is only proposed, and others have to sign it (key rotate, revoke, renew)

plan alone: 0 nothing to change; 2 something is; 1 every error, wrong input among it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from saltern_master.api.service import ServiceError
from saltern_master.cli.moments import SpanError
from saltern_master.cli.output import errors_told, say
from saltern_master.errors import MasterError

WRONG_INPUT = frozenset({"invalid", "too-large"})


class FileError(MasterError):
    """A file that was named on the command line cannot be used."""


class UsageError(MasterError):
    """The command line asks for what cannot be meant."""


@contextmanager
def refusals_told() -> Iterator[None]:
    """Turn what the master refuses, and wrong input, into their text and exit status 1 or 2."""
    with errors_told():
        try:
            yield
        except ServiceError as error:
            say("\n  ".join([f"saltern: {error}", *error.faults]))
            raise typer.Exit(2 if error.code in WRONG_INPUT else 1) from error
        except (UsageError, FileError, SpanError) as error:
            say(f"saltern: {error}")
            raise typer.Exit(2) from error


def read_bytes(path: Path) -> bytes:
    """Read a file that was named on the command line."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
