"""kube-proxy: Services become rules of iptables on every node of a cluster.

It is a unit, as the guide has it, with its own certificate. bindAddress is the node's own
address, since from 0.0.0.0 it would ask the API server for it, and wait a minute for that.
"""

from __future__ import annotations

from collections.abc import Mapping

from saltern_states.artifact import Artifact
from saltern_states.body import Resource
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.unit import Unit

from saltern_master.compile.kubeconfig import kubeconfig
from saltern_master.compile.node import Control, NodeInput, binary, lives_by, resource
from saltern_master.compile.settings import in_order, merged
from saltern_master.compile.yaml_text import to_yaml

PART = "kube-proxy"
PROGRAM = "/usr/local/bin/kube-proxy"
STATE = "/var/lib/kube-proxy"
LACKING = Artifact(path=PROGRAM, sha256="0" * 64)
"""Stands for a kube-proxy that the library lacks, which compile tells beside all other faults."""


def kube_proxy(given: NodeInput, after: tuple[str, ...]) -> tuple[Resource, ...]:
    """Give kube-proxy and what it needs. `after`: what packets need."""
    control = given.control
    if control is None:
        return ()
    program = resource(PART, "kube-proxy", binary("kube-proxy", given, PROGRAM) or LACKING)
    state = resource(PART, "state", Directory(path=STATE, mode="0750"))
    config = File(path=f"{STATE}/config.yaml", text=config_yaml(given, control), mode="0600")
    asks = kubeconfig(f"{STATE}/kubeconfig", control.endpoint, PART, "system:kube-proxy")
    unit_file = File(path="/etc/systemd/system/kube-proxy.service", text=unit_text(given))
    files = (
        resource(PART, "config.yaml", config, [state.id]),
        resource(PART, "kubeconfig", asks, [state.id]),
        resource(PART, "unit-file", unit_file),
    )
    unit = Unit(
        unit="kube-proxy.service",
        files=(lives_by(config), lives_by(asks), lives_by(unit_file)),
        binary=PROGRAM,
    )
    needs = ("network/iptables", "kubelet/conntrack", "pki/ca.crt", "pki/kube-proxy")
    before = (program.id, *(one.id for one in files), *needs, *after)
    return program, state, *files, resource(PART, "kube-proxy.service", unit, before)


def config_yaml(given: NodeInput, control: Control) -> str:
    """Give KubeProxyConfiguration: ours, with the groups' fields over it."""
    ours: Mapping[str, object] = {
        "bindAddress": given.node.address,
        "clientConnection": {"kubeconfig": f"{STATE}/kubeconfig"},
        "clusterCIDR": given.network.pods,
        "hostnameOverride": given.node.name,
        "mode": "iptables",
    }
    known = given.minor.kube_proxy
    head = {"apiVersion": known.api_version, "kind": "KubeProxyConfiguration"}
    rendered = {name: value for name, value in ours.items() if name in known.fields}
    return to_yaml({**head, **in_order(merged(rendered, control.kube_proxy_config))})


def flags() -> tuple[str, ...]:
    """Give the command line: all that there is a field for stands in the configuration."""
    return (f"--config={STATE}/config.yaml",)


def unit_text(given: NodeInput) -> str:
    """Give the unit file."""
    command = " \\\n  ".join((PROGRAM, *flags()))
    return f"""\
[Unit]
Description=kube-proxy {given.version}
Documentation=https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart={command}
Restart=always
RestartSec=2
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"""
