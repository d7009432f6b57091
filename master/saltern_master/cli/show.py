"""saltern show FILE: what is in a statement, a body or an identity. Nothing in it is believed."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer
from saltern_protocol import envelope, wire
from saltern_protocol.documents import (
    MAX_STATEMENT_BYTES,
    Document,
    decode_document,
    decode_identity,
    decode_statement,
)
from saltern_protocol.errors import MalformedError, for_terminal
from saltern_protocol.policy import decode_policy
from saltern_protocol.root import decode_root
from saltern_states.body import Body, read_body

from saltern_master.cli.bodies import Format, body_lines, in_full, write
from saltern_master.cli.faults import faults_told
from saltern_master.cli.refusals import FileError, read_bytes


def show_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .statement, .body or .identity.")],
    output: Format = Format.TABLE,
) -> None:
    """Show what is in a file for a node. Signatures are for the node to check."""
    with faults_told():
        head, body = _read(read_bytes(file), file)
        if output is not Format.TABLE:
            resources = {"resources": in_full(body)} if body is not None else {}
            write([head | resources], output)
            return
        width = max(map(len, head))
        typer.echo(
            for_terminal("\n".join(f"{name.ljust(width)}  {value}" for name, value in head.items()))
        )
        if body is not None:
            typer.echo(for_terminal("\n".join(["", *body_lines(body)])))


def _read(data: bytes, file: Path) -> tuple[dict[str, Any], Body | None]:
    """Give what stands at the head of a file, and its body where it has one."""
    try:
        plain = wire.unpack_plain(data, MAX_STATEMENT_BYTES)
    except MalformedError as error:
        raise FileError(f"cannot show {file}: it is no file of Saltern's; {error}") from error
    kind = plain.get("type") if isinstance(plain, dict) else None
    match kind:
        case "statement/1":
            return _statement(data)
        case "body/1":
            return {"type": kind, "sha256": sha256(data).hexdigest()}, read_body(data)
        case "identity/1":
            return _identity(data), None
        case _:
            raise FileError(f"cannot show {file}: it holds {kind!r}; give a statement or a body")


def _statement(data: bytes) -> tuple[dict[str, Any], Body]:
    statement = decode_statement(data)
    document = decode_document(envelope.decode(statement.document).payload)
    policy = decode_policy(envelope.decode(statement.policy).payload)
    head = {
        "type": "statement/1",
        **_document(document),
        "policy": f"version {policy.version}, expires {_date(policy.expires)}",
        "sha256": sha256(statement.body).hexdigest(),
    }
    return head, read_body(statement.body)


def _document(document: Document) -> dict[str, Any]:
    return {
        "cluster": document.cluster,
        "node": document.node,
        "incarnation": document.incarnation,
        "epoch": document.epoch,
        "version": document.version,
        "issued": _date(document.issued),
        "expires": _date(document.expires),
    }


def _identity(data: bytes) -> dict[str, Any]:
    identity = decode_identity(data)
    root = decode_root(envelope.decode(identity.root).payload)
    return {
        "type": "identity/1",
        "cluster": identity.cluster,
        "node": identity.node,
        "class": identity.node_class,
        "incarnation": identity.incarnation,
        "root": f"version {root.version}, expires {_date(root.expires)}",
        "root keys": " ".join(str(key) for key in root.roles.root.keys),
    }


def _date(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
