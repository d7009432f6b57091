"""Cluster files and stock for the tests of the master."""

from __future__ import annotations

from saltern_master.compile.pki import Pki, SealedSecret
from saltern_master.library.values import Binary, Deb, Image, Index, PackageSet
from saltern_states.certificate import EXAMPLE_AUTHORITY

SMALL = """\
apiVersion: saltern/v1
cluster: {name: demo}
kubernetes: {version: 1.20.2}
network: {pods: 10.10.0.0/16}
nodes:
- {name: w1, address: 10.9.0.21}
"""

FULL = """\
apiVersion: saltern/v1
cluster: {name: demo, domain: pods.example}
kubernetes: {version: 1.20.2}
network: {pods: 10.10.0.0/16, perNode: 25, masquerade: none}
runtime:
  docker:
    liveRestore: false
    cgroupDriver: systemd
    logging: {maxSize: 50m, maxFiles: 5}
    runtimes: {bounded: /usr/local/sbin/runc-bounded}
    defaultRuntime: bounded
nodes:
- {name: b1, address: 10.9.0.11, labels: {rack: "3"}}
- {name: w1, address: 10.9.0.21, roles: [worker], labels: {zone: a}}
- {name: w2, address: 10.9.0.22, labels: {zone: b}}
groups:
- match: role=worker
  kubelet:
    config: {maxPods: 60, evictionHard: {memory.available: 200Mi}}
    staticPods:
    - apiVersion: v1
      kind: Pod
      metadata: {name: echo, labels: {app: "yes"}}
      spec:
        containers:
        - {name: echo, image: "saltern/echo:1", args: ["--port", "8080"]}
  sysctls: {vm.max_map_count: "262144"}
- match: zone=a
  kubelet:
    config: {maxPods: 30, evictionHard: {nodefs.available: 10%}}
  sysctls: {vm.max_map_count: "300000", net.core.somaxconn: "4096"}
  resources:
  - id: motd
    spec: {kind: file/1, path: /etc/motd, text: "Zone a.\\n"}
    after: [docker/docker.service]
    drift: {mode: report}
    on_removal: keep
"""

CONTROLLED = """\
apiVersion: saltern/v1
cluster: {name: demo}
kubernetes: {version: 1.20.2}
network: {pods: 10.10.0.0/16, services: 10.0.0.0/16, mode: routed}
nodes:
- {name: cp1, address: 10.9.0.11, roles: [control-plane, etcd], labels: {zone: a}}
- {name: w1, address: 10.9.0.21, roles: [worker], labels: {zone: a}}
- {name: w2, address: 10.9.0.22}
groups:
- match: name=*
  kubelet: {config: {failSwapOn: false}}
  kubeProxy: {config: {conntrack: {maxPerCore: 0}}}
- match: role=worker
  kubelet: {config: {maxPods: 60}}
  kubeProxy: {config: {conntrack: {min: 1000}}}
"""

PAUSE = Image(
    name="saltern/pause:3.2", config_digest="c1" * 32, archive_sha256="a1" * 32, size=700_000
)
ECHO = Image(name="saltern/echo:1", config_digest="c2" * 32, archive_sha256="a2" * 32, size=800_000)
KUBELET = Binary(
    version="1.20.2",
    component="kubelet",
    architecture="amd64",
    sha256="b1" * 32,
    size=114_000_000,
    origin="directory",
)


def deb(package: str, version: str, sha256: str) -> Deb:
    return Deb(package=package, version=version, architecture="amd64", sha256=sha256, size=1000)


PROXY = Binary(
    version="1.20.2",
    component="kube-proxy",
    architecture="amd64",
    sha256="b2" * 32,
    size=39_000_000,
    origin="directory",
)


def program_image(component: str, digit: str) -> Image:
    tag = "3.4.23" if component == "etcd" else "v1.20.2"
    return Image(
        name=f"saltern/{component}:{tag}",
        config_digest=f"c{digit}" * 32,
        archive_sha256=f"a{digit}" * 32,
        size=100_000_000,
    )


CONTROL_PLANE = tuple(
    program_image(component, digit)
    for component, digit in (
        ("etcd", "3"),
        ("kube-apiserver", "4"),
        ("kube-controller-manager", "5"),
        ("kube-scheduler", "6"),
    )
)
PKI = Pki(
    kubernetes=EXAMPLE_AUTHORITY,
    etcd=EXAMPLE_AUTHORITY.replace("MIIB", "MIIE"),
    front_proxy=EXAMPLE_AUTHORITY.replace("MIIB", "MIIF"),
    token_public="-----BEGIN PUBLIC KEY-----\nMIIBIjAN\n-----END PUBLIC KEY-----\n",
    token_keys={"cp1": SealedSecret(generation=1, blob="e1" * 32)},
)
DOCKER = PackageSet(
    name="docker.io",
    debs=(
        deb("containerd", "1.6.20~ds1-1+deb12u1", "d1" * 32),
        deb("docker.io", "20.10.24+dfsg1-1+deb12u1", "d2" * 32),
    ),
)
STOCK = Index(binaries=(KUBELET, PROXY), images=(PAUSE, ECHO, *CONTROL_PLANE), packages=(DOCKER,))
