"""What the crowd's nodes shall be: a cluster file of nodes without Kubernetes, and its policy.

Twenty resources for each node: five directories, ten small files in them, and five directories
that stand already and need nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from saltern_master.signing.policy_file import default_policy

PLACE = "/srv/crowd"
STANDING = tuple(f"/srv/standing-{number}" for number in range(1, 6))
DIRECTORIES = tuple(f"{PLACE}-{number}" for number in range(1, 6))
FILES = tuple(f"{folder}/{name}" for folder in DIRECTORIES for name in ("one", "two"))
RESOURCES = len(STANDING) + len(DIRECTORIES) + len(FILES)
CHANGES = len(DIRECTORIES) + len(FILES)  # of a first apply

HEAD = """\
apiVersion: saltern/v1
cluster: {name: crowd, domain: cluster.local}
kubernetes: {version: 1.20.2}
network: {pods: 10.10.0.0/16, perNode: 26}
nodes:
"""


def policy() -> str:
    """Give a new cluster's policy.yaml, with the place of the crowd's files in it."""
    return default_policy().replace("    paths:\n", '    paths:\n    - "/srv"\n')


def cluster_file(names: Sequence[str], word: str) -> str:
    """Give the cluster file. `word` stands in one of the files of every node."""
    nodes = (
        f"- {{name: {name}, address: 10.8.{at // 250}.{at % 250 + 1}, roles: [bare]}}\n"
        for at, name in enumerate(names)
    )
    head = "groups:\n- match: role=bare\n  resources:\n"
    return "".join((HEAD, *nodes, head, *_resources(word)))


def _resources(word: str) -> Iterator[str]:
    for path in (*STANDING, *DIRECTORIES):
        yield f"  - {{id: {_id(path)}, spec: {{kind: directory/1, path: {path}}}}}\n"
    for path in FILES:
        text = word if path == FILES[0] else "as it was"
        spec = f'{{kind: file/1, path: {path}, text: "{path}: {text}\\n"}}'
        after = _id(path.rpartition("/")[0])
        yield f"  - {{id: {_id(path)}, after: [{after}], spec: {spec}}}\n"


def _id(path: str) -> str:
    return path.removeprefix("/srv/")
