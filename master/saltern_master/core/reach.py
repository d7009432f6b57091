"""The way to the API server of a cluster: the master's own client certificate, made anew each time.

    HOME/run/kube/   0700    ca.crt, client.crt, client.key: for TLS, which reads files

The master holds the cluster's certificate authority, so it may do everything there anyway; its
certificate lives for LIFE days and is made again with each way (an apply, a start, a day).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from saltern_states.certificate import Certificate

from saltern_master.cluster.model import Cluster
from saltern_master.core.kube import Reach
from saltern_master.errors import MasterError
from saltern_master.kube.api import KubernetesApi, KubernetesError
from saltern_master.kube.client import Access, KubernetesClient
from saltern_master.pki.authorities import Authority
from saltern_master.pki.issue import issue
from saltern_master.pki.kubeconfig import ADMINS
from saltern_master.signing.home import write_whole

LIFE: Final = 7  # days
PORT: Final = 6443
SERIAL_BYTES: Final = 16

Now = Callable[[], float]
Random = Callable[[int], bytes]


def reach_by(home: Path, authority: Authority, now: Now, random: Random) -> Reach:
    """Give what finds a cluster's API server; None for a cluster that has none.

    KubernetesError: the certificate cannot be made or kept, as where the disk is full.
    """

    def reach(cluster: Cluster) -> KubernetesApi | None:
        if cluster.control_plane is None:
            return None
        serial = int.from_bytes(random(SERIAL_BYTES)) >> 1
        try:
            return KubernetesClient(_access(home, cluster, authority, int(now()), serial))
        except (MasterError, OSError) as error:
            raise KubernetesError(f"cannot make the way to the API server: {error}") from error

    return reach


def _access(home: Path, cluster: Cluster, authority: Authority, now: int, serial: int) -> Access:
    folder = home / "run" / "kube"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)  # also where it was made otherwise
    key = ec.generate_private_key(ec.SECP256R1())
    made = issue(_wanted(authority), key.public_key(), authority, now, serial)
    ca, certificate, private = (folder / name for name in ("ca.crt", "client.crt", "client.key"))
    write_whole(ca, authority.pem.encode())
    write_whole(certificate, made.public_bytes(Encoding.PEM))
    write_whole(
        private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600
    )
    return Access(
        server=f"https://{cluster.endpoint}:{PORT}",
        authority=ca,
        certificate=certificate,
        key=private,
        minor=int(cluster.kubernetes.version.split(".")[1]),
    )


def _wanted(authority: Authority) -> Certificate:
    return Certificate(
        path="/saltern.crt",
        key="/saltern.key",
        issuer="kubernetes",
        common_name="saltern",
        organizations=(ADMINS,),
        usages=("client",),
        days=LIFE,
        ca=authority.pem,
    )
