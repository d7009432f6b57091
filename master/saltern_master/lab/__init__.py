"""Real nodes on one machine: booted Debians in systemd-nspawn, for demo, tutorial and tests."""

from saltern_master.lab.errors import LabError
from saltern_master.lab.lab import Lab, NodeStatus, Status
from saltern_master.lab.layout import Network, Node
from saltern_master.lab.machine import Machine

__all__ = ["Lab", "LabError", "Machine", "Network", "Node", "NodeStatus", "Status"]
