"""The manifests of etcd and the control plane: what the kubelet of its node runs by itself.

The flags are those of "Creating a Custom Cluster from Scratch", carried to 1.20: TLS alone
(6443), Node and RBAC authorization, etcd behind certificates. What each is for that is not plain:

* --allocate-node-cidrs=false: Saltern gives the nodes their ranges.
* controllers csrapproving and csrsigning are off: the authorities' keys are not on nodes.
* --port of the controller-manager and the scheduler, on the loopback: componentstatuses asks
  there, and so does cluster/validate-cluster.sh of 1.20.
* the front proxy's authority and the clients' are given to both, so that they look neither up
  from an API server that may not answer yet, and end for it.

They use the host's network. A number stands beside the priority's name, since a static pod is
admitted before anything could look the name up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from saltern_master.compile.certificates import LOOPBACK, PKI
from saltern_master.compile.kubeconfig import PORT
from saltern_master.compile.node import Control, NodeInput, program_image

Pod = Mapping[str, object]

ETCD_DATA = "/var/lib/etcd"
CONTROLLER_MANAGER_CONF = "/etc/kubernetes/controller-manager.conf"
SCHEDULER_CONF = "/etc/kubernetes/scheduler.conf"
PRIORITY_CLASS, PRIORITY = "system-node-critical", 2_000_001_000
FRONT_PROXY = (
    "--requestheader-allowed-names=front-proxy-client",
    f"--requestheader-client-ca-file={PKI}/front-proxy-ca.crt",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-username-headers=X-Remote-User",
)


@dataclass(frozen=True, slots=True)
class Mount:
    """A path of the node, at the same path in a container. `type` as Kubernetes checks it."""

    name: str
    path: str
    type: str = "Directory"
    read_only: bool = True


ROOTS = Mount("roots", "/etc/ssl/certs", "DirectoryOrCreate")
"""The authorities that the world believes: for webhooks and identity providers out there."""


def control_plane_pods(given: NodeInput, control: Control) -> tuple[Pod, ...]:
    """Give the four manifests, etcd's first."""
    return (
        _etcd(given),
        _api_server(given),
        _controller_manager(given, control),
        _scheduler(given),
    )


def etcd_flags(given: NodeInput) -> tuple[str, ...]:
    """Give the command line of the one member of etcd."""
    name, address = given.node.name, given.node.address
    return (
        f"--name={name}",
        f"--data-dir={ETCD_DATA}",
        f"--listen-client-urls=https://{LOOPBACK}:2379,https://{address}:2379",
        f"--advertise-client-urls=https://{address}:2379",
        f"--listen-peer-urls=https://{address}:2380",
        f"--initial-advertise-peer-urls=https://{address}:2380",
        f"--initial-cluster={name}=https://{address}:2380",
        f"--listen-metrics-urls=http://{LOOPBACK}:2381",
        "--client-cert-auth=true",
        f"--cert-file={PKI}/etcd/server.crt",
        f"--key-file={PKI}/etcd/server.key",
        f"--trusted-ca-file={PKI}/etcd/ca.crt",
        "--peer-client-cert-auth=true",
        f"--peer-cert-file={PKI}/etcd/peer.crt",
        f"--peer-key-file={PKI}/etcd/peer.key",
        f"--peer-trusted-ca-file={PKI}/etcd/ca.crt",
        "--experimental-initial-corrupt-check=true",
        "--snapshot-count=10000",
    )


def api_server_flags(given: NodeInput) -> tuple[str, ...]:
    """Give the command line of the API server."""
    return (
        f"--advertise-address={given.node.address}",
        f"--secure-port={PORT}",
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--client-ca-file={PKI}/ca.crt",
        f"--tls-cert-file={PKI}/apiserver.crt",
        f"--tls-private-key-file={PKI}/apiserver.key",
        f"--etcd-servers=https://{LOOPBACK}:2379",
        f"--etcd-cafile={PKI}/etcd/ca.crt",
        f"--etcd-certfile={PKI}/apiserver-etcd-client.crt",
        f"--etcd-keyfile={PKI}/apiserver-etcd-client.key",
        f"--kubelet-certificate-authority={PKI}/ca.crt",
        f"--kubelet-client-certificate={PKI}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={PKI}/apiserver-kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
        f"--proxy-client-cert-file={PKI}/front-proxy-client.crt",
        f"--proxy-client-key-file={PKI}/front-proxy-client.key",
        *FRONT_PROXY,
        f"--service-account-issuer=https://kubernetes.default.svc.{given.domain}",
        f"--service-account-key-file={PKI}/sa.pub",
        f"--service-account-signing-key-file={PKI}/sa.key",
        f"--service-cluster-ip-range={given.network.services}",
    )


def controller_manager_flags(control: Control) -> tuple[str, ...]:
    """Give the command line of the controller-manager."""
    return (
        f"--cluster-name={control.cluster}",
        "--allocate-node-cidrs=false",
        "--controllers=*,-csrapproving,-csrsigning",
        f"--root-ca-file={PKI}/ca.crt",
        f"--service-account-private-key-file={PKI}/sa.key",
        "--use-service-account-credentials=true",
        f"--address={LOOPBACK}",
        "--port=10252",
        *_asking(CONTROLLER_MANAGER_CONF),
    )


def scheduler_flags() -> tuple[str, ...]:
    """Give the command line of the scheduler."""
    return (f"--address={LOOPBACK}", "--port=10251", *_asking(SCHEDULER_CONF))


def program_flags(given: NodeInput, control: Control) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give each program of the control plane with its command line."""
    yield "etcd", etcd_flags(given)
    yield "kube-apiserver", api_server_flags(given)
    yield "kube-controller-manager", controller_manager_flags(control)
    yield "kube-scheduler", scheduler_flags()


def _asking(kubeconfig: str) -> tuple[str, ...]:
    """Give the flags of a program that leads alone and asks the API server who may ask it."""
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--client-ca-file={PKI}/ca.crt",
        f"--requestheader-client-ca-file={PKI}/front-proxy-ca.crt",
        "--leader-elect=true",
    )


def _etcd(given: NodeInput) -> Pod:
    probe = _probe("HTTP", LOOPBACK, 2381, "/health")
    mounts = (Mount("data", ETCD_DATA, read_only=False), Mount("pki", f"{PKI}/etcd"))
    image = f"saltern/etcd:{given.minor.etcd}"
    return _pod("etcd", image, etcd_flags(given), (probe, probe), mounts)


def _api_server(given: NodeInput) -> Pod:
    name, address = "kube-apiserver", given.node.address
    probes = tuple(_probe("HTTPS", address, PORT, path) for path in ("/livez", "/readyz"))
    mounts = (Mount("pki", PKI), ROOTS)
    return _pod(name, program_image(name, given), api_server_flags(given), probes, mounts)


def _controller_manager(given: NodeInput, control: Control) -> Pod:
    name = "kube-controller-manager"
    probe = _probe("HTTPS", LOOPBACK, 10257, "/healthz")
    mounts = (Mount("pki", PKI), ROOTS, Mount("kubeconfig", CONTROLLER_MANAGER_CONF, "File"))
    flags = controller_manager_flags(control)
    return _pod(name, program_image(name, given), flags, (probe,), mounts)


def _scheduler(given: NodeInput) -> Pod:
    name = "kube-scheduler"
    probe = _probe("HTTPS", LOOPBACK, 10259, "/healthz")
    mounts = (Mount("pki", PKI), Mount("kubeconfig", SCHEDULER_CONF, "File"))
    return _pod(name, program_image(name, given), scheduler_flags(), (probe,), mounts)


def _pod(
    name: str,
    image: str,
    flags: tuple[str, ...],
    probes: tuple[Mapping[str, object], ...],
    mounts: tuple[Mount, ...],
) -> Pod:
    container: dict[str, object] = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [f"/{name}", *flags],
        "livenessProbe": {**probes[0], "initialDelaySeconds": 10, "failureThreshold": 8},
        "resources": {"requests": {"cpu": "100m"}},
        "volumeMounts": [
            {"name": one.name, "mountPath": one.path, "readOnly": one.read_only} for one in mounts
        ],
    }
    if len(probes) > 1:
        container["readinessProbe"] = {**probes[1], "failureThreshold": 3, "periodSeconds": 1}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "kube-system",
            "labels": {"component": name, "tier": "control-plane"},
        },
        "spec": {
            "hostNetwork": True,
            "priorityClassName": PRIORITY_CLASS,
            "priority": PRIORITY,
            "containers": [container],
            "volumes": [
                {"name": one.name, "hostPath": {"path": one.path, "type": one.type}}
                for one in mounts
            ],
        },
    }


def _probe(scheme: str, host: str, port: int, path: str) -> Mapping[str, object]:
    get = {"host": host, "path": path, "port": port, "scheme": scheme}
    return {"httpGet": get, "timeoutSeconds": 15}
