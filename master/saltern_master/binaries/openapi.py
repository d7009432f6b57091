"""The one generated file that Debian's source package of Kubernetes lacks.

Facts: Makefile.generated_files of 1.20, target gen_openapi: openapi-gen is given each package of
the tree that has a file with a "// +k8s:" comment tag and an openapi-gen tag, staging/src seen
as vendor, without code-generator and sample-apiserver. Done directly it takes 5 s, and the bytes
are those that `make generated_files` (65 s; needs jq and rsync) writes.
Laws: the tree's own list of known API violations must come out, as the project's build demands;
so a package that was missed or added is an error and not a smaller API.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from saltern_master.binaries.build_tools import Steps
from saltern_master.binaries.components import BinaryError

TREE = "k8s.io/kubernetes"
PACKAGE = "pkg/generated/openapi"
NAME = "zz_generated.openapi"
KNOWN_VIOLATIONS = "api/api-rules/violation_exceptions.list"
LEFT_OUT = ("vendor/k8s.io/code-generator/", "vendor/k8s.io/sample-apiserver/")
MINUTES = 60.0


def generate(tree: Path, go: Path, environment: Mapping[str, str], log: Path, steps: Steps) -> None:
    """Write the OpenAPI definitions into the tree, unless they are there."""
    made = tree / PACKAGE / f"{NAME}.go"
    if made.is_file():
        return
    home = Path(environment["HOME"])
    generator, violations = home / "openapi-gen", home / "openapi-violations"
    # fmt: off
    build = [str(go), "build", "-o", str(generator),
             "./vendor/k8s.io/code-generator/cmd/openapi-gen"]
    packages = ",".join(f"{TREE}/{name}" for name in tagged_packages(_go_files(tree)))
    run = [str(generator), "--logtostderr", "-i", packages, "-o", str(home / "generated"),
           "-p", f"{TREE}/{PACKAGE}", "-O", NAME, "-r", str(violations),
           "-h", "vendor/k8s.io/code-generator/hack/boilerplate.go.txt"]
    # fmt: on
    steps.run("build openapi-gen", build, tree, environment, log, seconds=10 * MINUTES)
    steps.run("generate API definitions", run, tree, environment, log, seconds=10 * MINUTES)
    if violations.read_bytes() != (tree / KNOWN_VIOLATIONS).read_bytes():
        raise BinaryError(
            f"cannot build kube-apiserver: {violations} is not {tree / KNOWN_VIOLATIONS}; "
            "the API definitions were made from other packages than the project's"
        )
    (home / "generated" / TREE / PACKAGE / f"{NAME}.go").rename(made)


def tagged_packages(files: Iterable[tuple[str, str]]) -> list[str]:
    """Give the packages of the tree whose API is to be described, from (path, text). Pure."""
    found = set()
    for path, text in files:
        if "+k8s:openapi-gen=" in text and re.search(r"(?m)^// *\+k8s:", text):
            package = path.rpartition("/")[0]
            found.add(re.sub(r"\Astaging/src/", "vendor/", package))
    return sorted(name for name in found if not f"{name}/".startswith(LEFT_OUT))


def _go_files(tree: Path) -> Iterable[tuple[str, str]]:
    """Read the tree's own Go files: vendor is others', and names with _ or . are no packages."""
    for top in sorted(tree.iterdir()):
        if top.is_dir() and top.name != "vendor" and not top.name.startswith(("_", ".")):
            for path in sorted(top.rglob("*.go")):
                yield str(path.relative_to(tree)), path.read_text(errors="replace")
