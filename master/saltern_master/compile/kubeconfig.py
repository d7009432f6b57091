"""kubeconfigs: whom a program asks, and which files say who it is.

They name files and hold no key, so a renewed certificate changes none of them. client-go reads
the files again for each connection that it opens.
"""

from __future__ import annotations

from saltern_states.file import File

from saltern_master.compile.certificates import AUTHORITY, PKI
from saltern_master.compile.yaml_text import to_yaml

PORT = 6443


def kubeconfig(path: str, server: str, certificate: str, user: str) -> File:
    """Give the file for a user whose certificate is PKI/`certificate`.crt, to ask `server`."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "cluster",
                "cluster": {
                    "certificate-authority": AUTHORITY,
                    "server": f"https://{server}:{PORT}",
                },
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate": f"{PKI}/{certificate}.crt",
                    "client-key": f"{PKI}/{certificate}.key",
                },
            }
        ],
        "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": user}}],
        "current-context": "cluster",
    }
    return File(path=path, text=to_yaml(content), mode="0600")
