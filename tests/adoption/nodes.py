"""Nodes in memory as hands and kubeadm leave them: what an adoption finds.

The guide's node is that of "Creating a Custom Cluster from Scratch", docker on a cbr0 made by hand;
kubeadm's is a control plane of 1.20 by kubeadm init. Keys and tokens on both are planted, so
that a test can look for them where they must not be.
"""

from __future__ import annotations

import json
from dataclasses import replace

from saltern_agent.reading.read import read_node
from saltern_master.adopt.part import Part
from saltern_master.adopt.text import whole_lines
from saltern_master.api.surveys import SurveyView
from saltern_master.cluster.load import load
from saltern_master.cluster.model import OwnResource
from saltern_protocol.policy import Allow
from saltern_protocol.reading import AnyFact
from saltern_states import iptables_text
from saltern_states.kinds import kind_of
from saltern_states.ports import Link, RouteEntry
from saltern_states.testing import FakeHost

JWK = '{"crv":"P-256","d":"planted-d","kid":"AAAA:BBBB","kty":"EC","x":"x","y":"y"}'
PLANTED = (
    "TOPSECRETKEY",
    "hunter2-planted",
    "abcdef.0123456789abcdef",
    "s3cr3t-planted",
    "planted-d",
)
"""Words of keys, tokens and passwords: no reading and no file of an adoption has one."""

KEY = "-----BEGIN RSA PRIVATE KEY-----\nTOPSECRETKEY\n-----END RSA PRIVATE KEY-----\n"
ALL = Allow(
    paths=("/",),
    units=("*",),
    sysctls=("*",),
    chains=("*",),
    links=("*",),
    modules=("*",),
    packages=("*",),
    routes=("0.0.0.0/0",),
    swap=True,
)
"""A policy that lets a node be told anything: what is left is left for another reason."""

DAEMON = {
    "bridge": "cbr0",
    "iptables": False,
    "ip-masq": False,
    "live-restore": True,
    "registry-mirrors": ["https://mirror.example"],
}
KUBELET_UNIT = """\
# made by hand
[Unit]
Description=kubelet by hand
After=docker.service

[Service]
ExecStart=/usr/local/bin/kubelet \\
  --pod-manifest-path=/etc/kubernetes/manifests --container-runtime=docker \\
  --pod-infra-container-image=pause:1 --fail-swap-on=false --cgroup-driver=cgroupfs
Restart=always

[Install]
WantedBy=multi-user.target
"""
PROXY_UNIT = """\
[Service]
ExecStart=/usr/local/bin/kube-proxy --kubeconfig=/var/lib/kube-proxy/kubeconfig
[Install]
WantedBy=multi-user.target
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default}
spec:
  containers:
  - name: web   # a person's comment, and a tab at its end\t
    image: example/web:1
    args: ["--say", "#no comment: 'quoted'", "{{ not a template }}"]
"""
KUBEADM_DROP_IN = """\
# Note: This dropin only works with kubeadm and kubelet v1.11+
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \
--kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS \
$KUBELET_EXTRA_ARGS
"""
KUBEADM_CONFIG = """\
apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: false
  webhook:
    cacheTTL: 0s
    enabled: true
  x509:
    clientCAFile: /etc/kubernetes/pki/ca.crt
authorization:
  mode: Webhook
cgroupDriver: systemd
clusterDNS:
- 10.96.0.10
clusterDomain: cluster.local
kind: KubeletConfiguration
rotateCertificates: true
staticPodPath: /etc/kubernetes/manifests
"""
API_SERVER = """\
apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: 10.9.0.11:6443
  labels:
    component: kube-apiserver
    tier: control-plane
  name: kube-apiserver
  namespace: kube-system
spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=10.9.0.11
    - --service-account-signing-key-file=/etc/kubernetes/pki/sa.key
    - --tls-private-key-file=/etc/kubernetes/pki/apiserver.key
    image: k8s.gcr.io/kube-apiserver:v1.20.2
    name: kube-apiserver
  hostNetwork: true
"""


def kubeconfig(user: str) -> str:
    return (
        "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {server: "
        f'"https://10.9.0.11:6443"}}\nusers:\n- name: u\n  user:\n    {user}\n'
    )


def machine() -> FakeHost:
    """A machine before anybody touched it."""
    host = FakeHost()
    host.files.put_directory("/etc/systemd/system")
    host.files.put_file("/etc/fstab", b"/dev/sda1 / ext4 defaults 0 1\n")
    host.modules.loadable = {"br_netfilter", "overlay"}
    host.sysctls.values = {"net.ipv4.ip_forward": "0", "vm.max_map_count": "65530"}
    host.links.add("eth0")
    _addressed(host, "eth0", "10.9.0.11/24")
    host.links.added.append(RouteEntry("0.0.0.0/0", "10.9.0.1", "eth0", 0, 3))
    for name in ("kmod", "iptables"):
        host.packages.put(name, "1.8.9-2")
    return host


def guides_node() -> FakeHost:
    """A worker made by hand, as the guide has it."""
    host = machine()
    put = host.files.put_file
    _run(host, "docker.service", "/usr/sbin/dockerd", "[Service]\nExecStart=/usr/sbin/dockerd\n")
    put("/etc/docker/daemon.json", json.dumps(DAEMON).encode())
    put("/etc/docker/key.json", JWK.encode(), 0o600)
    put("/etc/systemd/system/docker.service.d/limits.conf", b"[Service]\nLimitNOFILE=1000000\n")
    host.units.reload_daemon()
    put("/usr/local/bin/kubelet", b"\x7fELF kubelet", 0o755)
    put("/usr/local/bin/kube-proxy", b"\x7fELF kube-proxy", 0o755)
    _hand(host, "kubelet.service", KUBELET_UNIT)
    _hand(host, "kube-proxy.service", PROXY_UNIT)
    put("/etc/kubernetes/manifests/web.yaml", POD.encode(), 0o640)
    put("/var/lib/kube-proxy/kubeconfig", kubeconfig("token: hunter2-planted").encode(), 0o600)
    put("/srv/kubernetes/known_tokens.csv", b"s3cr3t-planted,admin,1\n", 0o600)
    put("/srv/kubernetes/server.key", KEY.encode(), 0o600)
    put(
        "/etc/sysctl.d/99-kubernetes.conf",
        b"# by hand\nnet.ipv4.ip_forward=1\nvm/max_map_count = 262144\n",
    )
    put("/etc/modules-load.d/kubernetes.conf", b"br_netfilter\n")
    host.modules.loaded = {"br_netfilter"}
    host.sysctls.values |= {
        "net.bridge.bridge-nf-call-ip6tables": "1",
        "net.bridge.bridge-nf-call-iptables": "1",
        "net.ipv4.ip_forward": "1",
        "vm.max_map_count": "262144",
    }
    _bridge(host)
    host.links.added.append(RouteEntry("10.10.7.0/24", "10.9.0.12", "eth0", 0, 3))
    masquerade = "! -d 10.0.0.0/8 -m addrtype ! --dst-type LOCAL -j MASQUERADE"
    nat = iptables_text.empty("nat")
    host.rules.tables["nft", "nat"] = replace(nat, rules={"POSTROUTING": (masquerade,)})
    for name in ("docker.io", "conntrack", "ebtables", "ethtool", "socat"):
        host.packages.put(name, "1")
    return host


def kubeadms_node() -> FakeHost:
    """A control plane by kubeadm init, of 1.20."""
    host = machine()
    put = host.files.put_file
    _run(host, "docker.service", "/usr/bin/dockerd", "[Service]\nExecStart=/usr/bin/dockerd\n")
    put("/etc/docker/daemon.json", b'{"exec-opts": ["native.cgroupdriver=systemd"]}\n')
    vendor = "[Service]\nExecStart=/usr/bin/kubelet\n[Install]\nWantedBy=multi-user.target\n"
    put("/usr/bin/kubelet", b"\x7fELF kubelet", 0o755)
    put("/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", KUBEADM_DROP_IN.encode())
    _run(host, "kubelet.service", "/usr/bin/kubelet", vendor)
    put("/var/lib/kubelet/config.yaml", KUBEADM_CONFIG.encode())
    flags = (
        'KUBELET_KUBEADM_ARGS="--network-plugin=cni --v=2 --pod-infra-container-image=pause:3.2"\n'
    )
    put("/var/lib/kubelet/kubeadm-flags.env", flags.encode())
    put("/etc/kubernetes/manifests/kube-apiserver.yaml", API_SERVER.encode(), 0o600)
    put(
        "/etc/kubernetes/admin.conf",
        kubeconfig("client-key-data: VE9QU0VDUkVUS0VZ").encode(),
        0o600,
    )
    certificate = "client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem"
    put("/etc/kubernetes/kubelet.conf", kubeconfig(certificate).encode(), 0o600)
    token = kubeconfig("token: abcdef.0123456789abcdef").encode()
    put("/etc/kubernetes/bootstrap-kubelet.conf", token, 0o600)
    for name in ("ca.crt", "sa.pub"):
        put(f"/etc/kubernetes/pki/{name}", b"-----BEGIN CERTIFICATE-----\n")
    for name in ("ca.key", "sa.key"):
        put(f"/etc/kubernetes/pki/{name}", KEY.encode(), 0o600)
    put("/etc/kubernetes/pki/etcd/ca.key", KEY.encode(), 0o600)
    put("/etc/cni/net.d/10-flannel.conflist", b'{"name": "cbr0", "plugins": []}\n')
    put("/etc/sysctl.d/k8s.conf", b"net.bridge.bridge-nf-call-iptables = 1\n")
    host.modules.loaded = {"br_netfilter", "overlay"}
    host.sysctls.values |= {
        "net.bridge.bridge-nf-call-ip6tables": "1",
        "net.bridge.bridge-nf-call-iptables": "1",
        "net.ipv4.ip_forward": "1",
    }
    host.links.add("cni0", "bridge")
    for name, version in (
        ("docker-ce", "5:20.10"),
        ("kubelet", "1.20.2-00"),
        ("kubeadm", "1.20.2-00"),
    ):
        host.packages.put(name, version)
    return host


NODES = {"guide": guides_node, "kubeadm": kubeadms_node, "untouched": machine}


def program_of(host: FakeHost, pid: int) -> str:
    """Give the file that a process of a fake node runs, as /proc would."""
    programs = [one.program for one in host.units.loaded.values() if one.main_pid == pid]
    return str(programs[0][0]) if programs and programs[0] else ""


def _hand(host: FakeHost, unit: str, text: str) -> None:
    host.files.put_file(f"/etc/systemd/system/{unit}", text.encode())
    _begin(host, unit)


def _run(host: FakeHost, unit: str, program: str, text: str) -> None:
    host.files.put_file(program, b"\x7fELF", 0o755)
    host.units.install(unit, f"{text}[Install]\n")
    _begin(host, unit)


def _begin(host: FakeHost, unit: str) -> None:
    host.units.state(unit)
    host.units.enable(unit)
    host.units.start(unit)


def _bridge(host: FakeHost) -> None:
    host.links.add("cbr0", "bridge", mtu=1500)
    _addressed(host, "cbr0", "10.10.5.1/24")


def _addressed(host: FakeHost, name: str, address: str) -> None:
    link = host.links.table[name]
    host.links.table[name] = Link(name, link.kind, True, link.mtu, False, (address,))


def facts_of(host: FakeHost) -> tuple[AnyFact, ...]:
    """Have a fake node read itself, as its agent would."""
    return read_node(host, lambda pid: program_of(host, pid))


def survey_of(host: FakeHost, allow: Allow = ALL) -> SurveyView:
    """Give what the master is told of a fake node."""
    return SurveyView(
        node="w1",
        node_class="worker",
        incarnation="0" * 32,
        version=0,
        facts=facts_of(host),
        allow=allow,
    )


def written(part: Part) -> str:
    """Give a whole cluster file with a part."""
    return "\n".join(whole_lines("demo", "1.20.2", "10.10.0.0/16", part)) + "\n"


def resources_in(text: str) -> tuple[OwnResource, ...]:
    """Give the resources of a file's last group."""
    return load(text.encode()).cluster.groups[-1].resources


def changes(host: FakeHost, resources: tuple[OwnResource, ...]) -> list[str]:
    """Give what holding these would change, as the kinds themselves say."""
    return [
        f"{one.id}: {change}"
        for one in resources
        for change in kind_of(one.spec).plan(host, one.spec)
    ]
