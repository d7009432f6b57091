"""Container image archives that we write ourselves: the same bytes for the same input.

tree.py      the files of an image, as a tar layer               pure, and one that streams
config.py    the JSON parts: config, manifests, index            pure
archive.py   write_image and read_image                          effects
programs.py  saltern/pause, echo and ask from their C files       effects
kubernetes.py, etcd.py   the control plane from its programs     effects
recipes.py   which of all these there are
pause.c, echo.c, ask.c
"""

from saltern_master.images.archive import read_image, write_image
from saltern_master.images.config import ImageConfig
from saltern_master.images.tree import File, ImageError

__all__ = ["File", "ImageConfig", "ImageError", "read_image", "write_image"]
