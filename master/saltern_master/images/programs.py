"""The images that Saltern makes from C files of its own, each one static program.

    saltern/pause:3.2   holds a pod's namespaces; the kubelet's --pod-infra-container-image
    saltern/echo:1      answers HTTP on 8080 with its host name, its address and the asker's
    saltern/ask:1       asks for such an answer and prints it

Laws: one C file, one static program, one image; the compiler is told to write nothing of the
machine or the moment, so that the same compiler and libc give the same image.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

from saltern_master.binaries.check import host_architecture
from saltern_master.commands import run
from saltern_master.images.archive import write_image
from saltern_master.images.config import ImageConfig
from saltern_master.images.tree import File, ImageError
from saltern_master.library import Image, Library

GCC = Path("/usr/bin/gcc")
LIBC = ("/usr/lib/x86_64-linux-gnu/libc.a", "/usr/lib/aarch64-linux-gnu/libc.a")
COMPILE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class ProgramImage:
    """An image made of one C file."""

    name: str
    program: str
    user: str = ""


PROGRAM_IMAGES = (
    ProgramImage("saltern/pause:3.2", "pause"),
    ProgramImage("saltern/echo:1", "echo", user="65534:65534"),  # nobody, on Debian and others
    ProgramImage("saltern/ask:1", "ask", user="65534:65534"),
)


def compile_program(name: str, target: Path) -> None:
    """Compile one of our C files to a static program; ImageError when the tools are missing."""
    missing = [] if GCC.is_file() else ["gcc"]
    if not any(Path(path).is_file() for path in LIBC):
        missing.append("libc6-dev")
    if missing:
        raise ImageError(
            f"cannot compile {name}.c: this machine lacks {', '.join(missing)}; "
            f"run: apt-get install --no-install-recommends {' '.join(missing)}"
        )
    with resources.as_file(resources.files("saltern_master.images") / f"{name}.c") as source:
        # fmt: off
        run([str(GCC), "-std=gnu11", "-Os", "-Wall", "-Wextra", "-Werror", "-static", "-s",
             "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-Wl,--build-id=none",
             "-o", str(target), str(source)],
            seconds=COMPILE_SECONDS)
        # fmt: on


def make_image(image: ProgramImage, path: Path) -> Image:
    """Compile a program and write its image archive."""
    with TemporaryDirectory() as scratch:
        program = Path(scratch) / image.program
        compile_program(image.program, program)
        config = ImageConfig(
            entrypoint=(f"/{image.program}",), user=image.user, architecture=host_architecture()
        )
        return write_image(path, image.name, [File(f"/{image.program}", program, 0o755)], config)


def add_program_image(library: Library, image: ProgramImage) -> Image:
    """Make an image and put it into the library."""
    library.home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".image-", dir=library.home) as scratch:
        path = Path(scratch) / "image.tar"
        made = make_image(image, path)
        library.adopt_blob(path, expect=made.archive_sha256)
    return library.add_image(made)
