"""What a node has, as its own tools tell it: run in the node, by its own python3 alone.

No code of ours is asked, so what Saltern says can be held against this. It prints one JSON map
from the name of a thing to what it is. Left out is what changes by itself: counters, hardware
addresses, what the kubelet keeps for itself, one-shot services that timers start.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

Found = Iterator[tuple[str, str]]

ROOTS = ("/etc", "/usr/local")
KUBELET = ("/var/lib/kubelet", "/var/lib/kubelet/config.yaml")  # the rest is the kubelet's own
SYSCTLS = ("net", "vm", "fs/inotify")
LARGE = 4 * 1024 * 1024  # bytes: above, who changed a file is seen by its times
# The last is the machine's, not the node's: the test of another lab sets it meanwhile.
CHANGING = re.compile(r"nf_conntrack_count|/conf/(?!all/|default/|host0/)|/neigh/|/vm/swappiness")


def main() -> None:
    found: dict[str, str] = {}
    for reader in (paths, sysctls, links, routes, rules, packages, units, docker):
        for name, value in reader():
            assert name not in found, name
            found[name] = value
    print(json.dumps(found))


def say(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout


def paths() -> Found:
    for root in ROOTS:
        for folder, directories, files in os.walk(root):
            for name in (*directories, *files):
                yield one_path(Path(folder, name))
    for name in KUBELET:
        if Path(name).exists():
            yield one_path(Path(name))


def one_path(path: Path) -> tuple[str, str]:
    about = path.lstat()
    access = f"{stat.S_IMODE(about.st_mode):04o} {about.st_uid}:{about.st_gid}"
    if stat.S_ISLNK(about.st_mode):
        return f"path {path}", f"link to {path.readlink()}"
    if stat.S_ISDIR(about.st_mode):
        return f"path {path}", f"directory {access}"
    if about.st_size > LARGE:
        return f"path {path}", f"file {access} {about.st_size} {about.st_ino} {about.st_mtime_ns}"
    return f"path {path}", f"file {access} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def sysctls() -> Found:
    for root in SYSCTLS:
        for folder, _, files in os.walk(f"/proc/sys/{root}"):
            for name in files:
                path = Path(folder, name)
                if CHANGING.search(str(path)):
                    continue
                try:
                    value = path.read_text().strip()
                except OSError:  # some can only be written
                    continue
                yield "sysctl " + str(path.relative_to("/proc/sys")).replace("/", "."), value


def links() -> Found:
    for one in json.loads(say("ip", "-j", "-d", "address")):
        name = one["ifname"]
        flags = sorted({"UP", "PROMISC"} & set(one["flags"]))
        kind = one.get("linkinfo", {}).get("info_kind", "")
        yield f"link {name}", f"{kind} {one['mtu']} {one.get('master', '')} {flags}"
        for address in one["addr_info"]:
            if address["family"] == "inet":
                yield f"address {name} {address['local']}/{address['prefixlen']}", "there"


def routes() -> Found:
    for table in ("main", "local"):
        for one in json.loads(say("ip", "-4", "-j", "-d", "route", "show", "table", table)):
            way = [f"{key} {one[key]}" for key in ("gateway", "dev", "scope") if key in one]
            metric = one.get("metric", 0)
            yield f"route {table} {one['type']} {one['dst']} {metric}", " ".join(way)


def rules() -> Found:
    for program in ("iptables-save", "ip6tables-save"):
        table = ""
        chains: dict[str, list[str]] = {}
        for line in say(program).splitlines():
            word, _, rest = line.partition(" ")
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith(":"):
                chains[f"{table} {word[1:]}"] = [rest.split()[0]]
            elif word == "-A":
                chains[f"{table} {rest.split()[0]}"].append(rest)
        family = "chain6" if program.startswith("ip6") else "chain"
        for chain, lines in chains.items():
            yield f"{family} {chain}", "\n".join(lines)


def packages() -> Found:
    for line in say("dpkg-query", "-W", "-f", "${Package} ${Status} ${Version}\n").splitlines():
        name, _, state = line.partition(" ")
        yield f"package {name}", state


def units() -> Found:
    asked = "Id,Type,ActiveState,InvocationID,MainPID"
    for block in say("systemctl", "show", "*.service", f"--property={asked}").split("\n\n"):
        told = dict(line.split("=", 1) for line in block.splitlines())
        if told.get("Type", "oneshot") != "oneshot" and told["ActiveState"] != "inactive":
            runs = f"{told['ActiveState']} {told['MainPID']} {told['InvocationID']}"
            yield f"unit {told['Id']}", runs
    for line in say("systemctl", "list-unit-files", "--plain", "--no-legend").splitlines():
        name, state = line.split()[:2]
        if not name.endswith(".scope"):  # what the kubelet runs for a moment
            yield f"unit-file {name}", state


def docker() -> Found:
    if not Path("/run/docker.sock").exists() or not Path("/usr/bin/docker").exists():
        return
    if say("systemctl", "show", "docker.service", "--property=ActiveState") != (
        "ActiveState=active\n"
    ):
        return
    asked = {
        "image": ("images", "{{.Repository}}:{{.Tag}} {{.ID}}"),
        "container": ("ps", "{{.Names}} {{.ID}} {{.State}}"),
    }
    for kind, (verb, form) in asked.items():
        for line in say("docker", verb, "--all", "--no-trunc", "--format", form).splitlines():
            name, _, what = line.partition(" ")
            yield f"{kind} {name}", what


if __name__ == "__main__":
    main()
