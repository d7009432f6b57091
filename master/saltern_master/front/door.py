"""The door's rule: who may knock how often. Nothing is read before that is decided.

* Each key, each address and all together have a budget; what is over it is dropped.
* Keys cost a stranger nothing, so there is a budget for the address as well, wide enough for a
  rack that joins through one gateway.
* At most MOST of each are remembered: who was quiet for longest is forgotten first.
"""

from __future__ import annotations

from typing import Final

from saltern_master.front.budget import Bucket, Rate, spend

KEY: Final = Rate(burst=5, per_second=0.5)
ADDRESS: Final = Rate(burst=60, per_second=5)
ALL: Final = Rate(burst=200, per_second=20)
MOST: Final = 4096


class Door:
    """Counts knocks."""

    def __init__(self) -> None:
        self._all = Bucket()
        self._seen: dict[bytes | str, Bucket] = {}

    def opens(self, key: bytes, address: str, now: float) -> bool:
        """Say whether this knock may be read; now: seconds, monotonic."""
        by_key = spend(self._seen.get(key, Bucket()), KEY, 1, now)
        by_address = spend(self._seen.get(address, Bucket()), ADDRESS, 1, now)
        of_all = spend(self._all, ALL, 1, now)
        if by_key is None or by_address is None or of_all is None:
            return False
        self._all = of_all
        self._remember(key, by_key)
        self._remember(address, by_address)
        return True

    def _remember(self, who: bytes | str, bucket: Bucket) -> None:
        self._seen.pop(who, None)  # so that it stands last again
        self._seen[who] = bucket
        if len(self._seen) > MOST:
            del self._seen[next(iter(self._seen))]
