"""apt with a state of its own: the machine's mirrors and keys, none of its lists, hooks or pins.

Laws: no address stands here, the machine's sources say where Debian is; nothing of the host's
apt state is written; sources of others than Debian are left out. Reading sources is pure.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from saltern_master import cache
from saltern_master.commands import run
from saltern_master.errors import MasterError

APT_GET = "/usr/bin/apt-get"
APT_CONFIG = "/usr/bin/apt-config"
_ETC = Path("/etc/apt")
_LISTS_AGE = 24 * 3600  # seconds after which lists are fetched again
_PASSED_ON = re.compile(r"Acquire::(https?\b|Check-|Force|Retries)")
_ONE_LINE = re.compile(
    r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<rest>.+)"
)


class AptError(MasterError):
    """apt cannot be used as asked."""


@dataclass(frozen=True, slots=True)
class Source:
    """One place that packages come from; options as deb822 fields (sources.list(5))."""

    uri: str
    suite: str
    components: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)

    def stanza(self) -> str:
        """Write it as deb822."""
        options = "".join(f"{name}: {value}\n" for name, value in self.options.items())
        components = " ".join(self.components)
        where = f"URIs: {self.uri}\nSuites: {self.suite}\nComponents: {components}\n"
        return f"Types: deb\n{where}{options}"


def parse_one_line(text: str) -> tuple[Source, ...]:
    """Read the one-line style of sources.list(5)."""
    found = []
    for line in text.splitlines():
        if match := _ONE_LINE.match(line.partition("#")[0].strip()):
            pairs = (word.partition("=") for word in (match["options"] or "").split())
            options = {_FIELDS.get(key.lower(), key): value for key, _, value in pairs}
            found.append(
                Source(match["uri"], match["suite"], tuple(match["rest"].split()), options)
            )
    return tuple(found)


_FIELDS = {"signed-by": "Signed-By", "trusted": "Trusted", "arch": "Architectures"}


def parse_deb822(text: str) -> tuple[Source, ...]:
    """Read the deb822 style of sources.list(5)."""
    found: list[Source] = []
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for paragraph in re.split(r"\n\s*\n", lines):
        fields = {
            name.lower(): value
            for name, value in re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", paragraph, re.M)
        }
        if "deb" not in fields.get("types", "").split() or fields.get("enabled") == "no":
            continue
        options = {name: fields[key] for key, name in _DEB822.items() if key in fields}
        components = tuple(fields.get("components", "").split())
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                found.append(Source(uri, suite, components, options))
    return tuple(found)


_DEB822 = {"signed-by": "Signed-By", "trusted": "Trusted", "architectures": "Architectures"}


def choose(
    sources: Iterable[Source], here: str, wanted: str, strangers: frozenset[tuple[str, str]]
) -> tuple[Source, ...]:
    """Keep Debian's main of the release, its updates and security; move them to `wanted`.

    `here` is this machine's release; `strangers` are (address, suite) known not to be Debian's.
    """
    chosen = {}
    for source in sources:
        rest = source.suite.removeprefix(here)
        if source.suite.startswith(here) and rest in ("", "-updates", "-security", "/updates"):
            known = (source.uri.rstrip("/"), source.suite)
            if "main" in source.components and known not in strangers:
                moved = Source(source.uri, wanted + rest, ("main",), source.options)
                chosen[moved.uri, moved.suite] = moved
    return tuple(chosen.values())


def machine_sources(suite: str) -> str:
    """Give this machine's Debian sources for a release, as deb822 text; AptError if it has none."""
    read = list(parse_one_line(_text(_ETC / "sources.list")))
    for path in sorted((_ETC / "sources.list.d").glob("*")):
        if path.suffix in (".list", ".sources"):
            read += (parse_one_line if path.suffix == ".list" else parse_deb822)(_text(path))
    chosen = choose(read, codename(_text(Path("/etc/os-release"))), suite, _strangers())
    if not chosen:
        raise AptError(
            f"cannot find Debian {suite}: none of the sources in {_ETC} is Debian's main "
            "for this machine's release; add one (see sources.list(5))"
        )
    return "\n".join(source.stanza() for source in chosen)


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def codename(os_release: str) -> str:
    """Read the release's name from the text of /etc/os-release."""
    match = re.search(r"^VERSION_CODENAME=\"?([a-z]+)\"?$", os_release, re.M)
    if not match:
        raise AptError("cannot tell which Debian this is: /etc/os-release has no VERSION_CODENAME")
    return match[1]


def _strangers() -> frozenset[tuple[str, str]]:
    """Ask apt which sources say that they are of another origin; only fetched ones say."""
    form = "$(REPO_URI) $(RELEASE) $(ORIGIN)"
    lines = run([APT_GET, "indextargets", "--format", form, "Created-By: Packages"]).splitlines()
    words = [line.split(maxsplit=2) for line in lines]
    return frozenset(
        (found[0].rstrip("/"), found[1])
        for found in words
        if len(found) == 3 and found[2] not in ("Debian", "$(ORIGIN)")
    )


def acquire_options() -> str:
    """Give the machine's settings of how to fetch (proxies, checks, retries), for an apt.conf."""
    lines = run([APT_CONFIG, "dump", "--no-empty", "Acquire"]).splitlines()
    return "".join(f"{line}\n" for line in lines if _PASSED_ON.match(line))


@dataclass(frozen=True, slots=True)
class Apt:
    """An apt of our own in a directory: sources, lists and configuration."""

    folder: Path

    @property
    def lists(self) -> Path:
        """Where the package lists are."""
        return self.folder / "lists"

    def environment(self, *, status: Path, archives: Path) -> dict[str, str]:
        """Write the configuration for one use, and give the environment that names it.

        What `status` says is read from a copy: apt locks the directory of dpkg's record, which may
        be anybody's, and leaves its lock there.
        """
        (archives / "partial").mkdir(parents=True, exist_ok=True)
        own = self.folder / "status"
        own.write_bytes(status.read_bytes())
        conf = self.folder / "apt.conf"
        conf.write_text(_configuration(self.folder, own, archives) + acquire_options())
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            "APT_CONFIG": str(conf),
        }

    def refresh(self, environment: Mapping[str, str], now: float, lock: int) -> bool:
        """Fetch the lists when there are none or they are old; say whether that was done.

        `lock` is that of the cache (commands.run).
        """
        stamp = self.folder / "updated"
        if stamp.exists() and now - stamp.stat().st_mtime < _LISTS_AGE:
            return False
        (self.lists / "partial").mkdir(parents=True, exist_ok=True)
        line = [APT_GET, "--quiet", "--error-on=any", "update"]
        run(line, seconds=600, environment=environment, lock=lock)
        stamp.touch()
        return True


def private(suite: str) -> Apt:
    """Open our own apt for a release of Debian, from the machine's sources."""
    sources = machine_sources(suite)
    folder = cache.root() / "apt" / hashlib.sha256(sources.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "saltern.sources").write_text(sources)
    return Apt(folder)


def _configuration(folder: Path, status: Path, archives: Path) -> str:
    settings = {
        "Dir::Etc::Main": "/dev/null",  # the machine's configuration runs hooks
        "Dir::Etc::Parts": "/dev/null",
        "Dir::Etc::SourceList": folder / "saltern.sources",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": folder,
        "Dir::State::Lists": folder / "lists/",
        "Dir::State::Status": status,
        "Dir::State::Extended_States": folder / "extended_states",
        "Dir::Cache": folder / "cache/",
        "Dir::Cache::Archives": f"{archives}/",
        "Dir::Cache::PkgCache": "",
        "Dir::Cache::SrcPkgCache": "",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    return "".join(f'{name} "{value}";\n' for name, value in settings.items())
