"""Kubeconfigs: how a client finds and believes the API server, and who it says it is.

* On a node it names files: a renewed certificate is read without another kubeconfig.
* For a person it holds everything, since it is carried to another machine; it is a secret then.

Form: kubectl's v1 Config, client-go/tools/clientcmd/api/v1/types.go of 1.20.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from saltern_states.certificate import Certificate

from saltern_master.compile.yaml_text import to_yaml
from saltern_master.pki.authorities import Authority
from saltern_master.pki.issue import issue

ADMIN = "kubernetes-admin"
ADMINS = "system:masters"  # bound to cluster-admin by Kubernetes itself
ADMIN_DAYS = 365


def on_node(cluster: str, server: str, user: str, ca: str, certificate: str, key: str) -> str:
    """Give a kubeconfig that names files, by absolute paths. `server`: https://HOST:PORT."""
    return _config(
        cluster,
        user,
        {"certificate-authority": ca, "server": server},
        {"client-certificate": certificate, "client-key": key},
    )


def embedded(
    cluster: str, server: str, user: str, ca: bytes, certificate: bytes, key: bytes
) -> str:
    """Give a kubeconfig that holds its PEM texts; whoever reads it is that user."""
    return _config(
        cluster,
        user,
        {"certificate-authority-data": _data(ca), "server": server},
        {"client-certificate-data": _data(certificate), "client-key-data": _data(key)},
    )


def for_admin(cluster: str, server: str, authority: Authority, now: int, serial: int) -> str:
    """Make a key and a certificate that may do everything, and give them as a kubeconfig."""
    key = ec.generate_private_key(ec.SECP256R1())
    want = Certificate(
        path="/admin.crt",
        key="/admin.key",
        issuer="kubernetes",
        common_name=ADMIN,
        organizations=(ADMINS,),
        usages=("client",),
        days=ADMIN_DAYS,
        ca=authority.pem,
    )
    made = issue(want, key.public_key(), authority, now, serial)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    ca = authority.pem.encode()
    return embedded(cluster, server, ADMIN, ca, made.public_bytes(Encoding.PEM), text)


def _config(cluster: str, user: str, where: Mapping[str, str], who: Mapping[str, str]) -> str:
    context = f"{user}@{cluster}"
    return to_yaml(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": cluster, "cluster": dict(where)}],
            "users": [{"name": user, "user": dict(who)}],
            "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
            "current-context": context,
        }
    )


def _data(pem: bytes) -> str:
    return b64encode(pem).decode()
