"""The kernel's parameters, modules and swap areas.

* A parameter's key is its path below /proc/sys with dots for slashes, as sysctl(8) has it;
  a key whose component itself holds a dot (an interface "eth0.100") has no such name.
* A module is there when /sys/module has it, when modules.builtin of the running kernel
  names it, or when /proc/config.gz says that its option is "y": kernels without any
  module have neither of the first two for what has no parameters.
* A parameter is opened below /proc/sys, and no link is followed on the way.
* modprobe is run by its absolute path; nothing is looked up in PATH.

Cache: in memory, the built-in names of the running kernel, read once per file's change.
"""

from __future__ import annotations

import ctypes
import errno
import gzip
import os
import re
import subprocess
from pathlib import Path
from typing import Final, Literal

from saltern_states.ports import HostError, MovedError

from saltern_agent.host.beneath import Root
from saltern_agent.host.hashes import stamp
from saltern_agent.host.kept_hashes import Stamp
from saltern_agent.host.reasons import reason

KEY: Final = re.compile(r"[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)+\Z")
MODULE: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}\Z")
MAX_VALUE_BYTES: Final = 64 * 1024
MODPROBES: Final = (Path("/usr/sbin/modprobe"), Path("/sbin/modprobe"))
MODPROBE_SECONDS: Final = 30
ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}

OPTIONS: Final = {
    # what a node needs and whose option is neither CONFIG_<NAME> nor CONFIG_<NAME>_FS; which
    # option builds which module is said in the kernel's net/*/Makefile
    "br_netfilter": "BRIDGE_NETFILTER",
    "ip_tables": "IP_NF_IPTABLES",
    "iptable_filter": "IP_NF_FILTER",
    "iptable_nat": "IP_NF_NAT",
    "iptable_mangle": "IP_NF_MANGLE",
    "iptable_raw": "IP_NF_RAW",
    "ip6_tables": "IP6_NF_IPTABLES",
    "x_tables": "NETFILTER_XTABLES",
    "xt_comment": "NETFILTER_XT_MATCH_COMMENT",
    "xt_conntrack": "NETFILTER_XT_MATCH_CONNTRACK",
    "xt_mark": "NETFILTER_XT_MARK",
    "xt_MASQUERADE": "NETFILTER_XT_TARGET_MASQUERADE",
    "8021q": "VLAN_8021Q",
}


class ProcSysctls:
    """Kernel parameters through /proc/sys. It keeps a descriptor until close()."""

    def __init__(self, root: Path = Path("/proc/sys")) -> None:
        self._root = Root(root)

    def close(self) -> None:
        """Let the directory go."""
        self._root.close()

    def read(self, key: str) -> str | None:
        """Give the value as the kernel prints it."""
        try:
            handle = self._root.open(_path(key), os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise HostError(f"cannot read {key}: {_why(error)}") from error
        try:
            value = os.read(handle, MAX_VALUE_BYTES)
        except IsADirectoryError as error:
            raise HostError(
                f"cannot read {key}: that is a group of parameters; name one"
            ) from error
        except OSError as error:
            raise HostError(f"cannot read {key}: {_why(error)}") from error
        finally:
            os.close(handle)
        return value.decode(errors="replace").removesuffix("\n")

    def write(self, key: str, was: str, value: str) -> None:
        """Set it, if it still is `was`."""
        have = self.read(key)
        if have is None:
            raise HostError(f"cannot set {key}: this kernel has no such parameter; load its module")
        if have != was:
            raise MovedError(f"cannot set {key}: expected {was!r}, found {have!r}; plan again")
        try:
            handle = self._root.open(_path(key), os.O_WRONLY)
            try:
                os.write(handle, f"{value}\n".encode())  # one write is one value
            finally:
                os.close(handle)
        except OSError as error:
            raise HostError(f"cannot set {key} to {value!r}: {_why(error)}") from error


def _path(key: str) -> Path:
    if not KEY.match(key):
        raise HostError(f"cannot name a parameter {key!r}: write it as in net.ipv4.ip_forward")
    return Path("/", key.replace(".", "/"))


class KernelModules:
    """Modules of the running kernel."""

    def __init__(
        self,
        sys_module: Path = Path("/sys/module"),
        libraries: Path = Path("/lib/modules"),
        config: Path = Path("/proc/config.gz"),
        modprobes: tuple[Path, ...] = MODPROBES,
    ) -> None:
        self._sys_module = os.fspath(sys_module)
        self._built_in_list = libraries / os.uname().release / "modules.builtin"
        self._config = config
        self._modprobes = modprobes
        self._built_in: tuple[Stamp | None, frozenset[str]] | None = None

    def state(self, name: str) -> Literal["built-in", "loaded", "absent"]:
        """Say whether the kernel has it now."""
        plain = _plain(name)
        if os.path.isdir(f"{self._sys_module}/{plain}"):
            # only what was loaded has this file; for what is still loading it is not "live"
            loaded = Path(self._sys_module, plain, "initstate")
            try:
                return "loaded" if loaded.read_text().strip() == "live" else "absent"
            except FileNotFoundError:
                return "built-in"
        built_in = self._built_in_names()
        return "built-in" if built_in & {plain, *_options(plain)} else "absent"

    def load(self, name: str) -> None:
        """modprobe it; one that is there is left alone."""
        plain = _plain(name)
        program = next((path for path in self._modprobes if path.exists()), None)
        if program is None:
            raise HostError(
                f"cannot load module {name}: "
                "there is no modprobe; install kmod, or use a kernel that has it built in"
            )
        try:
            done = subprocess.run(
                [str(program), "--", plain],
                capture_output=True,
                text=True,
                timeout=MODPROBE_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
                env=ENVIRONMENT,
            )
        except subprocess.TimeoutExpired as error:
            raise HostError(
                f"cannot load module {name}: modprobe hangs ({MODPROBE_SECONDS} s); see dmesg"
            ) from error
        if done.returncode:
            said = " ".join(done.stderr.split())[:300]
            raise HostError(
                f"cannot load module {name}: {said}; install the package "
                f"of the modules of kernel {os.uname().release}"
            )

    def _built_in_names(self) -> frozenset[str]:
        source = self._built_in_list if self._built_in_list.exists() else self._config
        try:
            now = stamp(source.stat())
        except FileNotFoundError:
            now = None
        if self._built_in is None or self._built_in[0] != now:
            self._built_in = (now, frozenset() if now is None else _read_built_in(source))
        return self._built_in[1]


class KernelSwaps:
    """Swap areas of the running kernel."""

    def __init__(self, table: Path = Path("/proc/swaps")) -> None:
        self._table = table
        self._swapoff = ctypes.CDLL(None, use_errno=True).swapoff

    def active(self) -> tuple[str, ...]:
        """Give their names as /proc/swaps prints them (a space is \\040)."""
        try:
            lines = self._table.read_text(errors="surrogateescape").splitlines()[1:]
        except FileNotFoundError:
            return ()  # a kernel without CONFIG_SWAP
        return tuple(sorted(line.split()[0] for line in lines if line.strip()))

    def off(self, name: str) -> None:
        """Stop using one. Its pages come back to memory first, which can take minutes."""
        if name not in self.active():
            raise MovedError(f"cannot stop swapping on {name}: it is not in use; plan again")
        path = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), os.fsencode(name))
        if self._swapoff(ctypes.c_char_p(path)) == 0:
            return
        number = ctypes.get_errno()
        why = {
            errno.ENOMEM: "its pages have no room in memory; stop something first",
            errno.ENOENT: "its file was removed while in use; reboot the node",
        }.get(number) or reason(OSError(number, os.strerror(number)))
        raise HostError(f"cannot stop swapping on {name}: {why}")


def _plain(name: str) -> str:
    if not MODULE.match(name):
        raise HostError(f"cannot name a module {name!r}: letters, digits, - and _ are wanted")
    return name.replace("-", "_")


def _options(plain: str) -> tuple[str, ...]:
    """Give the options that may stand for a module; a filesystem's ends in _FS."""
    named = OPTIONS.get(plain)
    return (
        (f"CONFIG_{named}",) if named else (f"CONFIG_{plain.upper()}", f"CONFIG_{plain.upper()}_FS")
    )


def _read_built_in(source: Path) -> frozenset[str]:
    """Give modules' plain names from modules.builtin, or CONFIG_ names from config.gz."""
    try:
        if source.suffix == ".gz":
            text = gzip.decompress(source.read_bytes()).decode(errors="replace")
            return frozenset(line[:-2] for line in text.splitlines() if line.endswith("=y"))
        names = (Path(line).name for line in source.read_text().splitlines())
    except (OSError, EOFError) as error:
        raise HostError(f"cannot read {source}: {error}; see whether it is damaged") from error
    return frozenset(name.partition(".ko")[0].replace("-", "_") for name in names)


def _why(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "it cannot be changed or read from here (read-only, or owned by the host)"
    if error.errno == errno.EINVAL:
        return "the kernel refuses this value; see its documentation"
    return reason(error)
