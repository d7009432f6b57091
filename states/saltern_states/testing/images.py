"""Docker's images in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from saltern_states.ports import HostError


@dataclass
class FakeImages:
    """Names and digests. Fill `archives` by put_archive(); `silent`: docker does not answer."""

    digests: dict[str, str] = field(default_factory=dict)
    archives: dict[Path, dict[str, str]] = field(default_factory=dict)
    silent: bool = False

    def put(self, name: str, config: str) -> None:
        """Let docker have an image, by the SHA-256 of its config."""
        self.digests[name] = f"sha256:{config}"

    def put_archive(self, path: Path, name: str, config: str) -> None:
        """Let the file at `path` be an archive with this image in it."""
        self.archives.setdefault(path, {})[name] = f"sha256:{config}"

    def digest(self, name: str) -> str | None:
        """Give the config digest."""
        self._ask("look for", name)
        return self.digests.get(name)

    def load(self, archive: Path) -> None:
        """Load an archive."""
        self._ask("load", str(archive))
        if archive not in self.archives:
            raise HostError(f"cannot load {archive}: it is no image archive")
        self.digests.update(self.archives[archive])

    def remove(self, name: str) -> None:
        """Take the name away."""
        self._ask("remove", name)
        if self.digests.pop(name, None) is None:
            raise HostError(f"cannot remove image {name}: there is none")

    def _ask(self, verb: str, name: str) -> None:
        if self.silent:
            raise HostError(f"cannot {verb} {name}: docker does not answer; is it running?")
