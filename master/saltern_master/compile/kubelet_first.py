"""What runs before the kubelet of a control-plane node: its static pods, without waiting.

A kubelet of 1.20 that is told of an API server waits up to 10 s for it before it starts each
static pod; and here the API server is one of them. So while it does not answer, a kubelet
without an API server runs them, for a minute at most, in the unit's own ExecStartPre=. The
kubelet that follows finds their containers running and takes them over (ADR 0010).

That first kubelet opens no port (--enable-server=false): with nobody to ask, it could not
tell who may do what. NOTIFY_SOCKET is not for it: systemd is told by the kubelet that follows.
"""

from __future__ import annotations

from saltern_states.file import File

from saltern_master.compile.certificates import AUTHORITY
from saltern_master.compile.kubeconfig import PORT
from saltern_master.compile.node import NodeInput

PATH = "/etc/kubernetes/kubelet-first.sh"
SECONDS = 60
ALONE = (
    "--authentication-token-webhook=false",
    "--authorization-mode=AlwaysAllow",
    "--enable-server=false",
)


def kubelet_first(given: NodeInput, command: tuple[str, ...]) -> File:
    """Give the script. `command`: the kubelet with the flags that it has in any case."""
    return File(path=PATH, text=script(given.node.address, (*command, *ALONE)))


def script(address: str, command: tuple[str, ...]) -> str:
    """Give the script for the API server at an address of this node."""
    lines = " \\\n  ".join(command)
    return f"""\
# Written by Saltern: runs the static pods until the API server among them answers.
set -u

answers() {{
  printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' |
    socat -T 2 - OPENSSL:{address}:{PORT},cafile={AUTHORITY},connect-timeout=2 2>/dev/null |
    grep -q '^ok'
}}

seconds() {{
  read -r up _ </proc/uptime
  echo "${{up%%.*}}"
}}

answers && exit 0
unset NOTIFY_SOCKET
{lines} &
alone=$!
end=$(($(seconds) + {SECONDS}))
while [ "$(seconds)" -lt "$end" ] && kill -0 "$alone" 2>/dev/null && ! answers; do
  sleep 0.25
done
kill "$alone" 2>/dev/null
wait "$alone"
exit 0
"""
