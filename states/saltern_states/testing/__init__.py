"""Fakes for those who test kinds. Each keeps the contract suite that the real thing keeps."""

from saltern_states.testing.files import FakeBlobs, FakeFiles
from saltern_states.testing.images import FakeImages
from saltern_states.testing.kernel import FakeModules, FakeSwaps, FakeSysctls
from saltern_states.testing.keys import FakeCertificates, FakeSecrets
from saltern_states.testing.links import FakeLinks
from saltern_states.testing.packages import FakePackages
from saltern_states.testing.rules import FakeRules
from saltern_states.testing.trees import FakeTrees
from saltern_states.testing.units import FakeUnits
from saltern_states.testing.upgrades import FakeUpgrades

__all__ = [
    "FakeBlobs",
    "FakeCertificates",
    "FakeFiles",
    "FakeHost",
    "FakeImages",
    "FakeLinks",
    "FakeModules",
    "FakePackages",
    "FakeRules",
    "FakeSecrets",
    "FakeSwaps",
    "FakeSysctls",
    "FakeTrees",
    "FakeUnits",
    "FakeUpgrades",
]


class FakeHost:
    """A node in memory: an empty one, to be filled through its ports' own attributes."""

    def __init__(self) -> None:
        self.blobs = FakeBlobs()
        self.files = FakeFiles(self.blobs)
        self.trees = FakeTrees(self.files)
        self.sysctls = FakeSysctls()
        self.modules = FakeModules()
        self.swaps = FakeSwaps()
        self.links = FakeLinks()
        self.rules = FakeRules()
        self.units = FakeUnits(self.files)
        self.packages = FakePackages()
        self.upgrades = FakeUpgrades(self.packages)
        self.images = FakeImages()
        self.certificates = FakeCertificates(self.files)
        self.secrets = FakeSecrets(self.blobs)
