"""What is done to a lab node so that a trap stands open on it, and how that is taken away again.

Each is done with the programs that a person, or another program, would have used.
"""

from __future__ import annotations

from dataclasses import dataclass

PKI = "/etc/kubernetes/pki"
DROP_IN = "/etc/systemd/system/kubelet.service.d"
LISTEN = "import socket, time; s = socket.create_server(('', 10250)); time.sleep(600)"
FULL = "mount -t tmpfs -o size=1m none /var/lib/etcd && head -c 1000000 /dev/zero >/var/lib/etcd/x"
BRIDGE_IN_IFUPDOWN = "iface cbr0 inet static\n address 10.1.1.1/24"
FIREWALLD = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true"
CERTIFICATE = """
from datetime import datetime, timedelta, timezone
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(timezone.utc)
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "old")])
made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
made = made.serial_number(7).not_valid_before(now - timedelta(300))
made = made.not_valid_after(now + timedelta(3)).sign(key, hashes.SHA256())
print(made.public_bytes(serialization.Encoding.PEM).decode())
"""


@dataclass(frozen=True, slots=True)
class Setup:
    """A trap, the words that are told of it, what is done for it, and what takes it back."""

    trap: str
    words: str
    do: str  # for /bin/sh
    undo: str


ON_A_NODE_OF_SALTERN = (
    Setup(
        "range-overlap",
        "10.10.200.0/24 of host0",
        "ip address add 10.10.200.1/24 dev host0",
        "ip address delete 10.10.200.1/24 dev host0",
    ),
    Setup(
        "docker-range",
        "br-0123456789ab has 10.10.64.1/20",
        "ip link add br-0123456789ab type bridge; ip address add 10.10.64.1/20 dev br-0123456789ab",
        "ip link delete br-0123456789ab",
    ),
    Setup(
        "stale-bridge",
        "cni0 is left",
        "ip link add cni0 type bridge; ip address add 10.244.1.1/24 dev cni0",
        "ip link delete cni0",
    ),
    Setup(
        "bridge-claimed",
        "/etc/network/interfaces.d/cbr0",
        "mkdir -p /etc/network/interfaces.d; "
        f"printf '{BRIDGE_IN_IFUPDOWN}' >/etc/network/interfaces.d/cbr0",
        "rm /etc/network/interfaces.d/cbr0",
    ),
    Setup(
        "node-ports",
        "is 1024-65000",
        "sysctl -w net.ipv4.ip_local_port_range='1024 65000'",
        "sysctl -w net.ipv4.ip_local_port_range='32768 60999'",
    ),
    Setup(
        "forward-drop",
        "DROP (iptables-legacy)",
        "iptables-legacy -P FORWARD DROP",
        "iptables-legacy -P FORWARD ACCEPT",
    ),
    Setup(
        "iptables-mixed",
        "1 of legacy",
        "iptables-legacy -t nat -A POSTROUTING -s 203.0.113.9 -j RETURN",
        "iptables-legacy -t nat -D POSTROUTING -s 203.0.113.9 -j RETURN",
    ),
    Setup(
        "firewall",
        "firewalld.service is on",
        f"printf '{FIREWALLD}' >/etc/systemd/system/firewalld.service; "
        "systemctl daemon-reload; systemctl start firewalld",
        "systemctl stop firewalld; rm /etc/systemd/system/firewalld.service; "
        "systemctl daemon-reload",
    ),
    Setup(
        "dpkg-interrupted",
        "it was interrupted",
        "touch /var/lib/dpkg/updates/0001",
        "rm /var/lib/dpkg/updates/0001",
    ),
    Setup(
        "disk-full",
        "/var/lib/etcd has",
        f"mkdir /var/lib/etcd; {FULL}",
        "umount /var/lib/etcd; rmdir /var/lib/etcd",
    ),
    Setup(
        "cgroup-driver",
        "docker's cgroup driver is cgroupfs, the kubelet's is systemd",
        f"mkdir -p {DROP_IN}; echo '# --cgroup-driver=systemd' >{DROP_IN}/99-other.conf",
        f"rm {DROP_IN}/99-other.conf; rmdir --ignore-fail-on-non-empty {DROP_IN}",
    ),
    Setup(
        "certificate-ending",
        f"{PKI}/old.crt ends in 3 days",
        f"mkdir -p {PKI}; PYTHONPATH=/usr/lib/saltern-agent python3 -c '{CERTIFICATE}' "
        f">{PKI}/old.crt",
        f"rm {PKI}/old.crt",
    ),
    Setup(
        "proxy-catches",
        "kubelet.service has HTTPS_PROXY=http://proxy:3128, which catches",
        f"mkdir -p {DROP_IN}; printf '[Service]\\nEnvironment=HTTPS_PROXY=http://proxy:3128\\n' "
        f">{DROP_IN}/99-proxy.conf; systemctl daemon-reload; systemctl restart kubelet",
        f"rm {DROP_IN}/99-proxy.conf; rmdir --ignore-fail-on-non-empty {DROP_IN}; "
        "systemctl daemon-reload; systemctl restart kubelet",
    ),
    Setup(
        "cannot-tell",
        "certificates: ",
        f"mkdir -p {PKI}/odd.crt",
        f"rmdir {PKI}/odd.crt",
    ),
)
"""On a node that holds a document: what it holds is drift, so these are what it does not hold."""

ON_A_BARE_MACHINE = (
    Setup(
        "forwarding-off",
        "net.ipv4.ip_forward is 0",
        "sysctl -w net.ipv4.ip_forward=0",
        "sysctl -w net.ipv4.ip_forward=1",
    ),
    Setup(
        "bridge-netfilter",
        "bridge-nf-call-iptables is 0",
        "sysctl -w net.bridge.bridge-nf-call-iptables=0",
        "sysctl -w net.bridge.bridge-nf-call-iptables=1",
    ),
    Setup("hostname", "'BadName'", "hostname BadName", "hostname w1"),
    Setup(
        "program-missing",
        ", losetup",
        "mv /usr/sbin/losetup /usr/sbin/losetup.away",
        "mv /usr/sbin/losetup.away /usr/sbin/losetup",
    ),
    Setup(
        "port-taken",
        "listens on port 10250, which kubelet needs",
        f'systemd-run --unit=taken python3 -c "{LISTEN}"; '
        "until ss -tln | grep -q :10250; do sleep 0.1; done",
        "systemctl stop taken",
    ),
    Setup(
        "stray-manifest",
        "more than one names the pod etcd",
        "mkdir -p /etc/kubernetes/manifests; cd /etc/kubernetes/manifests; "
        "printf 'kind: Pod\\nmetadata:\\n  name: etcd\\n' | tee etcd.yaml >etcd.yaml.bak",
        "rm /etc/kubernetes/manifests/etcd.yaml*",
    ),
)
"""On a machine before it has a document: all that it would otherwise hold."""

NOT_HERE = {
    "swap-on": "swap is the whole machine's, and a node of the lab shares its kernel",
    "kernel-old": "a node of the lab has the kernel of this machine",
    "cgroup-version": "a node of the lab has the cgroups of this machine",
    "inotify-low": "its limits are the whole machine's: to use them up would hit everybody on it",
    "security-module": "this kernel has neither SELinux nor AppArmor",
    "clock-unsynchronised": "a container's clock is its machine's, so it is not told there",
}
"""Traps that a lab node does not allow, and why; tests/agent/test_doctor.py tries them."""
