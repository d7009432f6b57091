"""What the node is held to, and the policy that lets it be: cluster.yaml, moved to its node. Pure.

None of it is Kubernetes', so that both releases of Debian can be held to the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from saltern_master.signing.policy_file import default_policy

NODE: Final = "w1"
CLUSTER: Final = "bench"
RESOURCES: Final = 40
PROGRAM_BYTES: Final = 100 << 20  # as a kubelet has
_UNIT: Final = "bench-work.service"
_ALLOWED: Final = (
    ("    paths:\n", "/srv/bench"),
    ("    paths:\n", f"/etc/systemd/system/{_UNIT}"),
    ("    paths:\n", f"/etc/systemd/system/{_UNIT}.d"),
    ("    units:\n", _UNIT),
)


def cluster_file(address: str, program: str) -> str:
    """Give the cluster file for a node's address and the SHA-256 of its large program."""
    template = Path(__file__).with_name("cluster.yaml").read_text()
    return template.replace("ADDRESS", address).replace("PROGRAM", program)


def policy() -> str:
    """Give a new cluster's policy.yaml, with what the cluster file touches in it."""
    text = default_policy()
    for head, one in _ALLOWED:
        text = text.replace(head, f'{head}    - "{one}"\n')
    return text
