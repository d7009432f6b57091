"""Ways of several kinds at once: moved, kept, given another id, and set right after a stranger."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.cases import Case, Step, own, wish
from tests.lab.held import BASE, PARAMETER, Held

ONE, TWO = "/etc/kubernetes/probe.one", "/etc/kubernetes/probe.two"
NET, OTHER = "10.78.2.0/24", "10.78.3.0/24"


def but(resource: dict[str, object], **fields: object) -> dict[str, object]:
    """Give a resource with other fields beside its spec."""
    return {**resource, **fields}


def wired(net: str, sign: str) -> dict[str, str]:
    """Give what moves with the address of probe0."""
    names = (
        f"address probe0 {net}.1/24",
        f"route main unicast {net}.0/24 0",
        f"route local local {net}.1 0",
        f"route local broadcast {net}.255 0",
    )
    return dict.fromkeys(names, sign)


def moved(_held: Held) -> Iterator[Step]:
    """A file and a route move under their ids, then to others; what is to be kept, stays."""
    gone = f"route main unicast {NET} 0"
    yield Step(
        wish(
            own("f", "file", path=ONE, text="one\n"),
            own("r", "route", destination=NET, device="host0"),
        ),
        (
            f"create {ONE} (4 bytes, 0644 root:root)",
            f"add the route to {NET} on the link dev host0",
        ),
        {f"path {ONE}": "+", gone: "+"},
    )
    yield Step(
        wish(
            own("f", "file", path=TWO, text="one\n"),
            own("r", "route", destination=OTHER, device="host0"),
        ),
        (
            f"remove the route to {NET} on the link dev host0",
            f"remove {ONE}",
            f"create {TWO} (4 bytes, 0644 root:root)",
            f"add the route to {OTHER} on the link dev host0",
        ),
        {
            f"path {ONE}": "-",
            f"path {TWO}": "+",
            gone: "-",
            f"route main unicast {OTHER} 0": "+",
        },
    )
    kept = but(own("g", "file", path=TWO, text="one\n"), on_removal="keep")
    yield Step(
        wish(kept, own("s", "route", destination=OTHER, device="host0")),
        (),
        {},
    )
    yield Step(
        BASE,
        (f"remove the route to {OTHER} on the link dev host0",),
        {f"route main unicast {OTHER} 0": "-"},
    )
    yield Step(
        wish(own("h", "file", path=TWO, text="two\n")),
        (f"write {TWO} (4 bytes, 0644 root:root)",),
        {f"path {TWO}": "~"},
    )
    yield Step(BASE, (f"remove {TWO}",), {f"path {TWO}": "-"})


def kind_changed(_held: Held) -> Iterator[Step]:
    """What has one id becomes one of another kind: a file a directory with a file in it."""
    yield Step(
        wish(own("x", "file", path=ONE, text="one\n")),
        (f"create {ONE} (4 bytes, 0644 root:root)",),
        {f"path {ONE}": "+"},
    )
    yield Step(
        wish(
            own("x", "directory", path=ONE),
            own("y", "file", path=f"{ONE}/in", text="in\n"),
        ),
        (
            f"remove {ONE}",
            f"make directory {ONE} (0755 root:root)",
            f"create {ONE}/in (3 bytes, 0644 root:root)",
        ),
        {f"path {ONE}": "~", f"path {ONE}/in": "+"},
    )
    yield Step(
        wish(own("x", "file", path=ONE, text="one\n")),
        (
            f"remove {ONE}/in",
            f"remove {ONE}",
            f"create {ONE} (4 bytes, 0644 root:root)",
        ),
        {f"path {ONE}": "~", f"path {ONE}/in": "-"},
    )
    yield Step(BASE, (f"remove {ONE}",), {f"path {ONE}": "-"})


SAVED = f"/etc/sysctl.d/90-saltern-{PARAMETER}.conf"
MADE = {  # by the first document with what is only reported
    f"path {ONE}": "+",
    f"path {SAVED}": "+",
    f"sysctl {PARAMETER}": "~",
    "link probe0": "+",
    f"route main unicast {NET} 0": "+",
    "chain nat SALTERN-PROBE": "+",
    "chain nat OUTPUT": "~",
}


def only_reported(text: str) -> tuple[dict[str, object], ...]:
    """Give one resource of each of five kinds, of which drift is told and not set right."""
    jump = {"chain": "OUTPUT", "place": "first"}
    rule = "-d 10.77.9.1/32 -j RETURN"
    each = (
        own("f", "file", path=ONE, text=text),
        own("s", "sysctl", key=PARAMETER, value="7100"),
        own("b", "bridge", name="probe0", address="10.77.0.1/24", mtu=1400),
        own("r", "route", after=("b",), destination=NET, via="10.77.0.9", device="probe0"),
        own("c", "chain", table="nat", name="SALTERN-PROBE", rules=[rule], jump=jump),
    )
    return tuple(but(one, drift={"mode": "report"}) for one in each)


def meddle(held: Held) -> None:
    """Do to what is only reported what a stranger may."""
    held.must("sh", "-c", f"echo stranger > {ONE}; chmod 0600 {ONE}")
    held.must("/usr/sbin/sysctl", "--quiet", "--write", f"{PARAMETER}=7000")
    held.must("ip", "link", "set", "probe0", "mtu", "1300")
    held.must("ip", "address", "add", "10.77.7.1/24", "dev", "probe0")
    held.must("ip", "route", "replace", NET, "via", "10.77.0.8", "proto", "83")
    held.must("iptables", "-t", "nat", "-A", "SALTERN-PROBE", "-j", "ACCEPT")


def drifted(held: Held) -> Iterator[Step]:
    """A stranger was there, and drift is only reported: the next document sets it right."""
    yield Step(
        wish(*only_reported("one\n")),
        (
            f"create {ONE} (4 bytes, 0644 root:root)",
            f"set {PARAMETER} = 7100 (was 7200)",
            f"create {SAVED} (35 bytes, 0644 root:root)",
            "make the bridge probe0 with 10.77.0.1/24, MTU 1400, up",
            f"add the route to {NET} via 10.77.0.9 dev probe0",
            "make the chain nat/SALTERN-PROBE (nft): 1 rule; jump from OUTPUT, first",
        ),
        MADE | wired("10.77.0", "+") | wired("10.77.7", "+"),
    )
    meddle(held)
    yield Step(
        wish(*only_reported("two\n")),
        (
            f"write {ONE} (4 bytes, 0644 root:root)",
            f"set {PARAMETER} = 7100 (was 7000)",
            "set the MTU of probe0 to 1400 (was 1300)",
            "delete 10.77.7.1/24 from probe0",
            f"replace the route to {NET} via 10.77.0.8 dev probe0 by via 10.77.0.9 dev probe0",
            "write the chain nat/SALTERN-PROBE (nft): 1 rule",
        ),
        {
            f"path {ONE}": "~",
            f"sysctl {PARAMETER}": "~",
            "link probe0": "~",
            f"route main unicast {NET} 0": "~",
            "chain nat SALTERN-PROBE": "~",
        }
        | wired("10.77.7", "-"),
    )
    yield Step(
        BASE,
        (
            "delete the chain nat/SALTERN-PROBE (nft) and its jump",
            f"remove the route to {NET} via 10.77.0.9 dev probe0",
            "delete the bridge probe0",
            f"remove {SAVED}",
            f"remove {ONE}",
        ),
        {name: sign for name, sign in _away(MADE).items() if not name.startswith("sysctl")}
        | wired("10.77.0", "-"),
    )


def _away(made: dict[str, str]) -> dict[str, str]:
    return {name: "-" if sign == "+" else sign for name, sign in made.items()}


MIXED: tuple[Case, ...] = (moved, kind_changed, drifted)
