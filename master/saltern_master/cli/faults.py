"""How errors in what people wrote are told by the commands that read it themselves.

The exit statuses are in refusals.py, which needs nothing that reads a cluster file or a body.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from saltern_protocol.errors import ProtocolError
from saltern_states.body import BodyError

from saltern_master.cli.output import say
from saltern_master.cli.refusals import FileError, UsageError, refusals_told
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.signing.next_root import WishError


@contextmanager
def faults_told() -> Iterator[None]:
    """Turn errors for people into their text and exit status 1 or 2."""
    with refusals_told():
        try:
            yield
        except ClusterFileError as error:
            say(f"saltern: {error}")
            raise typer.Exit(2) from error
        except WishError as error:
            raise UsageError(str(error)) from error
        except BodyError as error:
            raise FileError(f"cannot take this body: {error}") from error
        except ProtocolError as error:
            raise FileError(str(error)) from error
