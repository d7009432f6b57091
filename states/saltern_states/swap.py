"""swap: no swap area in use, now and after a reboot (the kubelet refuses to start beside one)."""

from __future__ import annotations

from typing import Literal

from saltern_states.contract import Spec


class Swap(Spec, frozen=True, kw_only=True, tag="swap/1"):
    """That the node does not swap."""

    state: Literal["off"] = "off"
