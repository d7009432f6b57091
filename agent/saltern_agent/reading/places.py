"""What is read of a node for its adoption: all of it, in plain sight.

The places are those of "Creating a Custom Cluster from Scratch", of kubeadm, and of Debian's and
Docker's packages. Of folders of keys only the names are read, never a file.
"""

from __future__ import annotations

from typing import Final

UNITS: Final = (
    "docker.service",
    "docker.socket",
    "containerd.service",
    "cri-docker.service",
    "etcd.service",
    "kubelet.service",
    "kube-proxy.service",
)
UNIT_FOLDERS: Final = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
)
FILES: Final = (
    "/etc/docker/daemon.json",
    "/etc/default/docker",
    "/etc/default/kubelet",
    "/etc/default/kube-proxy",
    "/etc/sysconfig/kubelet",
    "/etc/containerd/config.toml",
    "/etc/sysctl.conf",
    "/etc/modules",
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/super-admin.conf",
    "/etc/kubernetes/bootstrap-kubelet.conf",
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/controller-manager.conf",
    "/etc/kubernetes/scheduler.conf",
    "/etc/kubernetes/kubelet-config.yaml",
    "/etc/kubernetes/kube-proxy-config.yaml",
    "/var/lib/kubelet/config.yaml",
    "/var/lib/kubelet/kubeadm-flags.env",
    "/var/lib/kubelet/kubeconfig",
    "/var/lib/kube-proxy/config.yaml",
    "/var/lib/kube-proxy/config.conf",
    "/var/lib/kube-proxy/kubeconfig",
)
FOLDERS: Final = (
    "/etc/docker",
    "/etc/kubernetes",
    "/etc/kubernetes/manifests",
    "/etc/cni/net.d",
    "/etc/sysctl.d",
    "/etc/modules-load.d",
    *(f"{folder}/{unit}.d" for folder in UNIT_FOLDERS for unit in UNITS),
)
"""Folders whose files are read too, those directly in them."""

NAMED: Final = (
    "/etc/kubernetes/pki",
    "/etc/kubernetes/pki/etcd",
    "/srv/kubernetes",
    "/var/lib/kube-apiserver",
    "/var/lib/kubelet/pki",
)
"""Folders of keys and tokens: the names in them, and nothing more."""

PROGRAMS: Final = ("/usr/local/bin/kubelet", "/usr/local/bin/kube-proxy", "/usr/bin/kubelet")
"""Too large to be told: size and hash are."""

SYSCTLS: Final = (
    "fs.inotify.max_user_instances",
    "fs.inotify.max_user_watches",
    "net.bridge.bridge-nf-call-arptables",
    "net.bridge.bridge-nf-call-ip6tables",
    "net.bridge.bridge-nf-call-iptables",
    "net.core.somaxconn",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.rp_filter",
    "net.ipv4.ip_forward",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv6.conf.all.forwarding",
    "net.netfilter.nf_conntrack_max",
    "vm.max_map_count",
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "vm.swappiness",
)
MODULES: Final = ("br_netfilter", "overlay")
PACKAGES: Final = (
    "cni-plugins",
    "conntrack",
    "containerd",
    "containerd.io",
    "containernetworking-plugins",
    "cri-tools",
    "docker-ce",
    "docker.io",
    "ebtables",
    "etcd-server",
    "ethtool",
    "iptables",
    "kmod",
    "kubeadm",
    "kubectl",
    "kubelet",
    "kubernetes-cni",
    "socat",
)
LINKS: Final = ("cbr0", "cni0", "docker0", "flannel.1", "kube-bridge", "weave")
ROUTE_PROTOCOLS: Final = (3, 4, 16)
"""Of routes that a person or a network daemon made: boot, static, dhcp (rtnetlink(7))."""
TABLES: Final = ("filter", "nat")
FSTAB: Final = "/etc/fstab"
