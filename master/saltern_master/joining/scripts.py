"""What is run on a machine: fixed texts, in POSIX's shell. Pure.

* Nothing secret is in any of them, and nothing that a machine said. What varies is a SHA-256, and
  the master's addresses and ports, which the token's own patterns bound; each is quoted besides.
* What is the command line of ssh is one line without single quotes, backslashes and exclamation
  marks within its single quotes: so every login shell (sh, bash, zsh, csh, fish) reads it alike.
* All else goes over standard input: scripts, the package, the token.
* A step that fails leaves no file of ours: a trap takes them away, also where the line is cut. A
  package manager that has begun ends its work then: it writes to a file, and not to the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Final

from saltern_protocol.token import JoinToken

from saltern_master.joining.choosing import Form
from saltern_master.joining.looking import Rise

SHELL: Final = "exec /bin/sh -s"
"""Reads a script from standard input."""
_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

DAMAGED: Final = 91
REFUSED: Final = 92
"""Exit statuses of the installing script: not what was sent; the package manager's refusal."""

LOOK: Final = f"""{_PATH}; LC_ALL=C; export PATH LC_ALL
say() {{ printf 'saltern:%s=%s\\n' "$1" "$2"; }}
look() {{
  say kernel "$(uname -s)"
  say machine "$(uname -m)"
  while IFS='=' read -r name value; do
    case "$name" in ID|ID_LIKE|VERSION_ID|PRETTY_NAME) say "$name" "$value" ;; esac
  done </etc/os-release
  for one in 3.11 3.12 3.13; do
    [ -x "/usr/bin/python$one" ] && say python "$one"
  done
  [ -d /run/systemd/system ] && say systemd yes
  rise=
  if [ "$(id -u)" = 0 ]; then say rise root
  elif ! command -v sudo >/dev/null; then say rise none
  elif sudo -n /bin/sh -c : 2>/dev/null; then say rise sudo; rise='sudo -n'
  else say rise password
  fi
  if command -v dpkg-query >/dev/null; then
    dpkg-query -W -f 'saltern:state=${{db:Status-Status}}\\n' saltern-agent 2>/dev/null |
      grep -q '=installed$' &&
      say installed "$(dpkg-query -W -f '${{Version}}' saltern-agent)"
  elif command -v rpm >/dev/null; then
    rpm -q saltern-agent >/dev/null 2>&1 &&
      say installed "$(rpm -q --qf '%{{VERSION}}-%{{RELEASE}}' saltern-agent)"
  fi
  say running "$(systemctl is-active saltern-agent 2>/dev/null)"
  if $rise test -e /etc/saltern/identity; then
    say identity "$($rise base64 -w 0 /etc/saltern/identity)"
  fi
  say end yes
}}
look </dev/null
"""

_DEB: Final = (
    "apt-get -q -y -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confdef "
    "-o Dpkg::Options::=--force-confold --no-install-recommends install"
)
_RPM: Final = "dnf -q -y --setopt=install_weak_deps=0 install"
_INSTALL: Final = (
    "set -eu; {path}; LC_ALL=C; DEBIAN_FRONTEND=noninteractive; "
    "export PATH LC_ALL DEBIAN_FRONTEND; "
    "dir=$(mktemp -d /var/tmp/saltern-add.XXXXXXXXXX); "
    'trap "rm -rf $dir" EXIT; trap "exit 1" HUP INT TERM; '
    "file=$dir/saltern-agent.{form}; cat >$file; "
    'echo "{sha256}  $file" | sha256sum --check --status || exit {damaged}; '
    "{install} $file </dev/null >$dir/log 2>&1 || "
    "{{ tail -n 40 $dir/log >&2; exit {refused}; }}"
)
START: Final = f"{_PATH}; export PATH; systemctl enable --now saltern-agent </dev/null"
STOP: Final = f"{_PATH}; export PATH; systemctl stop saltern-agent </dev/null"


def install(form: Form, sha256: str, rise: Rise) -> str:
    """Give the command line that installs what comes over standard input, if it is that."""
    script = _INSTALL.format(
        path=_PATH,
        form=form,
        sha256=sha256,
        damaged=DAMAGED,
        refused=REFUSED,
        install=_DEB if form == "deb" else _RPM,
    )
    return as_root(f"/bin/sh -c '{script}'", rise)


def reach(token: JoinToken) -> str:
    """Give the script that tries the master's ports from there: a line for each that answers."""
    ports = sorted({token.link_port, token.door_port})
    where = [f"{address}/{port}" for address in token.addresses for port in ports]
    return (
        f"{_PATH}; export PATH\n"
        "command -v bash >/dev/null && command -v timeout >/dev/null || exit 0\n"
        "printf 'saltern:tries=yes\\n'\n"
        f"for one in {' '.join(map(quote, where))}; do\n"
        '  timeout 5 bash -c "exec 3<>/dev/tcp/$one" </dev/null >/dev/null 2>&1 &&\n'
        "    printf 'saltern:open=%s\\n' \"$one\"\n"
        "done\nexit 0\n"
    )


def join(rise: Rise, seconds: int) -> str:
    """Give the command line that joins with the token that comes over standard input."""
    return as_root(f"/usr/bin/saltern-agent join --wait {seconds} -", rise)


def script_as_root(rise: Rise) -> str:
    """Give the command line that runs a script from standard input as root."""
    return as_root("/bin/sh -s", rise)


def as_root(command: str, rise: Rise) -> str:
    """Give a command line that is run as root."""
    return f"exec sudo -n {command}" if rise == "sudo" else f"exec {command}"


def is_shut(said: str, token: JoinToken) -> Sequence[str]:
    """Give which ports of the master did not answer; none where one address has both open.

    Where that machine cannot try it, joining itself will tell.
    """
    lines = set(said.splitlines())
    if "saltern:tries=yes" not in lines:
        return ()
    ports = sorted({token.link_port, token.door_port})
    shut = {
        address: [port for port in ports if f"saltern:open={address}/{port}" not in lines]
        for address in token.addresses
    }
    if not all(shut.values()):
        return ()
    return tuple(f"{address} port {port}" for address, some in shut.items() for port in some)
