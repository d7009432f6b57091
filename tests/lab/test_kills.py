"""The agent is killed at random while it applies: it goes on, and nothing is half written.

Each round applies the other of two documents that differ in a file, a parameter, a chain, a
bridge, a route and a unit that reloads. SALTERN_KILLS says how many rounds there are and
SALTERN_SEED from which number the moments are drawn; the seed of a run is printed.
"""

from __future__ import annotations

import json
import os
import secrets
from hashlib import sha256
from pathlib import Path

import pytest
from saltern_protocol import envelope
from saltern_protocol.documents import decode_document, decode_statement

from tests.lab.cases import FILE, UNIT, own, wish
from tests.lab.held import PARAMETER, Held, Wish, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

KILLS = int(os.environ.get("SALTERN_KILLS", "25"))
SEED = int(os.environ.get("SALTERN_SEED", "0")) or secrets.randbelow(2**32)
FOLDER = "/root/kills"
TEXTS = {"a": "a" * 9000, "b": "b" * 5000}
CONFIG = "/etc/kubernetes/probe-kills.conf"
KEY = PARAMETER
SERVICE = """[Service]
ExecStart=/usr/bin/sleep infinity
ExecReload=/bin/true
[Install]
WantedBy=multi-user.target
"""


def kind_of(number: int) -> str:
    return "ab"[number % 2]


def document(letter: str) -> Wish:
    digit = {"a": 1, "b": 2}[letter]
    config = f"PROBE={letter}\n"
    lives_by = {
        "path": CONFIG,
        "sha256": sha256(config.encode()).hexdigest(),
        "on_change": "reload",
    }
    jump = {"chain": "OUTPUT", "place": "last"}
    rule = f"-d 10.77.9.{digit}/32 -j RETURN"
    return wish(
        own("file", "file", path=FILE, text=TEXTS[letter]),
        own("sysctl", "sysctl", key=KEY, value=f"710{digit}"),
        own("chain", "chain", table="nat", name="SALTERN-PROBE", rules=[rule], jump=jump),
        own("bridge", "bridge", name="probe0", address=f"10.77.{digit}.1/24"),
        own(
            "route",
            "route",
            after=("bridge",),
            destination="10.78.1.0/24",
            via=f"10.77.{digit}.9",
            device="probe0",
        ),
        own("unit-file", "file", path=UNIT, text=SERVICE),
        own("config", "file", path=CONFIG, text=config),
        own("unit", "unit", after=("unit-file", "config"), unit="probe.service", files=[lives_by]),
    )


def state(letter: str) -> dict[str, str]:
    """Give what other programs must say when a document is in force."""
    digit = {"a": 1, "b": 2}[letter]
    return {
        f"cat {FILE}": TEXTS[letter],
        f"sysctl -n {KEY}": f"710{digit}",
        "iptables -w -t nat -S SALTERN-PROBE | tail -n +2": (
            f"-A SALTERN-PROBE -d 10.77.9.{digit}/32 -j RETURN"
        ),
        "iptables -w -t nat -S OUTPUT | grep -c SALTERN-PROBE": "1",
        "ip -4 -o addr show dev probe0 | awk '{print $4}'": f"10.77.{digit}.1/24",
        "ip route show 10.78.1.0/24 | awk '{print $3}'": f"10.77.{digit}.9",
        "systemctl is-active probe.service": "active",
    }


def test_killed_at_random_it_goes_on_and_nothing_is_half_written(
    held: Held, tmp_path: Path
) -> None:
    documents = {letter: document(letter) for letter in TEXTS}
    states: dict[str, dict[str, str]] = {}
    for number in range(KILLS + 2):
        letter = kind_of(number)
        statement = held.sign(documents[letter]).read_bytes()
        (tmp_path / f"{number:04}.statement").write_bytes(statement)
        signed = decode_document(envelope.decode(decode_statement(statement).document).payload)
        states[str(signed.version)] = state(letter)
    files = {
        FILE: [*TEXTS.values()],
        CONFIG: [f"PROBE={letter}\n" for letter in TEXTS],
        UNIT: [SERVICE],
        f"/etc/sysctl.d/90-saltern-{KEY}.conf": [f"{KEY} = 710{digit}\n" for digit in (1, 2)],
    }
    (tmp_path / "plan.json").write_text(json.dumps({"files": files, "states": states}))
    killer = Path(__file__).with_name("node_killer.py")
    held.machine.copy_in(tmp_path, FOLDER)
    held.machine.copy_in(killer, "/root/node_killer.py")
    held.must("systemctl", "stop", "saltern-agent")
    print(f"SALTERN_KILLS={KILLS} SALTERN_SEED={SEED}")
    told = json.loads(
        held.must("python3", "/root/node_killer.py", FOLDER, str(SEED), timeout=10 * KILLS)
    )
    print(told)
    assert told["kills"] == KILLS
    assert told["cut off"] >= KILLS // 5, "too few were killed while they applied"
    held.must("rm", "-r", FOLDER)

    held.must("systemctl", "start", "saltern-agent")
    wait_until(lambda: held.state() == "converged", "converged")
    last = held.apply(held.offer(documents[kind_of(KILLS + 1)]))
    assert last[-1]["bad"] == 0
    again = held.apply(held.offer(documents[kind_of(KILLS + 1)]))
    assert again[-1]["changes"] == 0
