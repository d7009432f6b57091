"""The master's content store: what is sent to nodes as blobs, and what each of them is.

values.py   what the index says: binaries, images, package sets       frozen
blobs.py    HOME/blobs/SHA256: content named by its hash              effects
index.py    HOME/library.json: one file, written whole under a lock   effects
library.py  Library(home): the two together; what others call
"""

from saltern_master.library.blobs import BlobError
from saltern_master.library.index import LibraryError
from saltern_master.library.library import Library, MissingError
from saltern_master.library.values import Binary, Deb, Image, Index, PackageSet, Release

__all__ = [
    "Binary",
    "BlobError",
    "Deb",
    "Image",
    "Index",
    "Library",
    "LibraryError",
    "MissingError",
    "PackageSet",
    "Release",
]
