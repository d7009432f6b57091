"""network: what the kernel must let through before pods can speak.

Bridged packets go through iptables only once br_netfilter is there, and its two
parameters exist only then: so the order is module, then parameters.
"""

from __future__ import annotations

from saltern_states.body import Resource
from saltern_states.bridge import Bridge
from saltern_states.kernel_module import KernelModule
from saltern_states.sysctl import Sysctl

from saltern_master.compile.cbr0 import cbr0
from saltern_master.compile.masquerade import masquerade
from saltern_master.compile.node import NodeInput, package, resource

PART = "network"
SYSCTLS = (
    "net.ipv4.ip_forward",
    "net.bridge.bridge-nf-call-iptables",
    "net.bridge.bridge-nf-call-ip6tables",
)


def network(given: NodeInput) -> tuple[Resource, ...]:
    """Give the module, the parameters, the bridge and the chains of a node."""
    kmod = resource(PART, "kmod", package("kmod", given.stock))
    module = resource(PART, "br_netfilter", KernelModule(name="br_netfilter"), [kmod.id])
    sysctls = tuple(
        resource(
            PART,
            key,
            Sysctl(key=key, value="1"),
            [module.id] if key.startswith("net.bridge.") else [],
        )
        for key in SYSCTLS
    )
    return (kmod, module, *sysctls, cbr0(given, after=module.id), *masquerade(given))


def ready(resources: tuple[Resource, ...]) -> tuple[str, ...]:
    """Name what must be there before anything is put on the bridge."""
    return tuple(one.id for one in resources if isinstance(one.spec, Sysctl | Bridge))
