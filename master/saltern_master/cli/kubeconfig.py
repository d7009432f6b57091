"""saltern kubeconfig: an administrator's way to the Kubernetes API.

The private key is made here and never sent: the master gets a certificate request, and gives
back a kubeconfig without a key, into which the key is put. A file of it is 0600 from its first
byte. One that holds other clusters is not overwritten.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Annotated, Any

import typer

from saltern_master.cli.output import say
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import FileError, read_bytes, refusals_told
from saltern_master.cli.remote import HomePath, reach
from saltern_master.errors import MasterError


def kubeconfig(
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Into this file, mode 0600.")
    ] = None,
    home: HomePath = DEFAULT_HOME,
) -> None:
    """Give an administrator's kubeconfig, with everything in it."""
    with refusals_told():
        client = reach(home)
        from saltern_master.compile.yaml_text import to_yaml
        from saltern_master.signing.home import write_whole

        key, csr = _request()
        config = _with_key(_read(client.kubeconfig(csr), "the master's kubeconfig"), key)
        if write is None:
            typer.echo(to_yaml(config), nl=False)
            return
        _refuse_others(write, _clusters(config))
        write_whole(write, to_yaml(config).encode())
        say(f"wrote {write}; try: kubectl --kubeconfig {write} get nodes")


def _request() -> tuple[bytes, bytes]:
    """Make a key, and the request for its certificate; both PEM."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )
    from cryptography.x509 import CertificateSigningRequestBuilder, Name

    key = generate_private_key(SECP256R1())
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    csr = CertificateSigningRequestBuilder(Name([])).sign(key, SHA256())
    return text, csr.public_bytes(Encoding.PEM)


def _read(text: str | bytes, what: str) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        plain = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise FileError(f"cannot read {what}: it is no YAML") from error
    if not isinstance(plain, dict) or plain.get("kind") != "Config":
        raise FileError(f"cannot read {what}: it is no kubeconfig")
    return plain


def _with_key(config: dict[str, Any], key: bytes) -> dict[str, Any]:
    (user,) = config["users"]
    held = {**user["user"], "client-key-data": b64encode(key).decode()}
    return {**config, "users": [{**user, "user": held}]}


def _clusters(config: dict[str, Any]) -> set[str]:
    return {str(one["name"]) for one in config.get("clusters") or ()}


def _refuse_others(path: Path, ours: set[str]) -> None:
    """Refuse to lose somebody's other clusters."""
    if not path.exists():
        return
    others = sorted(_clusters(_read(read_bytes(path), str(path))) - ours)
    if others:
        raise MasterError(
            f"cannot write {path}: it holds other clusters ({', '.join(others)}); give another file"
        )
