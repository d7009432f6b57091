"""An administrator's kubeconfig: how they find and believe the API server, and who they are.

* It holds the certificates, since it is carried to another machine; the key is put in where it
  was made. Those of nodes name files: compile/kubeconfig.py.
* Group system:masters may do everything, by a role that Kubernetes itself binds to it.

Form: kubectl's v1 Config, client-go/tools/clientcmd/api/v1/types.go of 1.20.
"""

from __future__ import annotations

from base64 import b64encode

from cryptography.hazmat.primitives.serialization import Encoding
from saltern_states.certificate import Certificate

from saltern_master.compile.yaml_text import to_yaml
from saltern_master.pki.authorities import Authority
from saltern_master.pki.csr import public_key_of_pem
from saltern_master.pki.issue import issue

ADMIN = "kubernetes-admin"
ADMINS = "system:masters"
ADMIN_DAYS = 365


def for_admin(
    cluster: str, server: str, authority: Authority, csr: bytes, now: int, serial: int
) -> str:
    """Give a kubeconfig of who may do everything, for the key of a request (PKCS#10 in PEM).

    It lacks `client-key-data`: who asked has the key, and adds it. PkiError: why there is none.
    """
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
    made = issue(want, public_key_of_pem(csr), authority, now, serial)
    where = {"certificate-authority-data": _data(authority.pem.encode()), "server": server}
    who = {"client-certificate-data": _data(made.public_bytes(Encoding.PEM))}
    context = f"{ADMIN}@{cluster}"
    return to_yaml(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": cluster, "cluster": where}],
            "users": [{"name": ADMIN, "user": who}],
            "contexts": [{"name": context, "context": {"cluster": cluster, "user": ADMIN}}],
            "current-context": context,
        }
    )


def _data(pem: bytes) -> str:
    return b64encode(pem).decode()
