"""Alert rules and dashboard: well formed, of metrics and with commands that there are."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from saltern_master.metrics.families import FAMILIES, Family

from tests.house.test_commands_named import commands, unknown
from tests.house.tree import ROOT

RULES = ROOT / "packaging/monitoring/saltern.rules.yaml"
DASHBOARD = ROOT / "packaging/monitoring/saltern-dashboard.json"
PROMTOOL = Path("/usr/bin/promtool")  # of Debian's package prometheus: 18 MB to fetch, 94 on disk
TARGET = frozenset({"job", "instance"})  # that a Prometheus adds by itself
METRIC = re.compile(r"\b((?:saltern|process)_[a-z_]+)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"([^\"]*)\"")
GROUPED = re.compile(r"\b(?:by|on|ignoring|without)\s*\(([^)]*)\)")
SHOWN = re.compile(r"\$labels\.([a-z_]+)|\{\{([a-z_]+)\}\}")


def samples(family: Family) -> Iterator[str]:
    """Give the names that a family's samples have."""
    if family.type == "histogram":
        yield from (f"{family.name}_{end}" for end in ("bucket", "sum", "count"))
    else:
        yield family.name


KNOWN = {name: family for family in FAMILIES for name in samples(family)}
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}


def wrong(expression: str) -> list[str]:
    """Name what is no metric, or no label of it, in an expression; or that there is none."""
    found, labels = [], set(TARGET)
    metrics = METRIC.findall(expression)
    for name, matchers in metrics:
        family = KNOWN.get(name)
        own = {*(family.labels if family else ()), *TARGET}
        own |= {"le"} if family is not None and family.type == "histogram" else set()
        labels |= own
        if family is None and name not in PROCESS:
            found.append(f"no metric {name}")
        found += [f"{name} has no {one}" for one, _ in MATCHER.findall(matchers) if one not in own]
    for group in GROUPED.findall(expression):
        found += [f"no {one.strip()}" for one in group.split(",") if one.strip() not in labels]
    return found or ([] if metrics else ["no metric"])


def labels_of(expression: str) -> set[str]:
    """Give the labels that an expression's values can have."""
    kept = re.findall(r"\bby\s*\(([^)]*)\)", expression)
    if kept:
        return {one.strip() for group in kept for one in group.split(",")} - {"le"}
    names = (KNOWN[name] for name, _ in METRIC.findall(expression) if name in KNOWN)
    return {label for family in names for label in family.labels}


def rules() -> list[dict[str, Any]]:
    groups = YAML(typ="safe").load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_is_whole(rule: dict[str, Any]) -> None:
    told = rule["annotations"]

    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.match(r"^Saltern[A-Za-z]+\Z", rule["alert"])
    assert wrong(rule["expr"]) == []
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert told["summary"]
    assert re.match(r"^[0-9]+[mh]\Z", rule.get("for", "1m"))
    for one in told.values():
        shown = {first or second for first, second in SHOWN.findall(one)}
        assert shown <= labels_of(rule["expr"]) | TARGET, one


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_to_run(rule: dict[str, Any]) -> None:
    text = re.sub(r"\{\{[^}]*\}\}", "NAME", rule["annotations"]["description"])
    named = list(commands(text))

    assert named != []
    assert [fault for words in named for fault in unknown(words)] == []


def test_drift_that_is_left_alone_on_purpose_is_no_alert() -> None:
    (stays,) = (rule for rule in rules() if rule["alert"] == "SalternDriftStaysOpen")

    assert stays["expr"].endswith(" unless on (node) saltern_node_held == 1")


def test_alerts_have_names_of_their_own() -> None:
    names = [rule["alert"] for rule in rules()]

    assert len(set(names)) == len(names) > 15


def test_the_dashboard_is_whole() -> None:
    told = json.loads(DASHBOARD.read_text())
    panels = told["panels"]

    assert (told["uid"], told["title"]) == ("saltern", "Saltern")
    assert len({panel["id"] for panel in panels}) == len(panels) > 15
    for panel in panels:
        assert panel["title"], panel["id"]
        for target in panel["targets"]:
            assert wrong(target["expr"]) == [], panel["title"]
            shown = {second for _, second in SHOWN.findall(target["legendFormat"])}
            assert shown <= labels_of(target["expr"]), panel["title"]


def test_panels_do_not_lie_on_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        at = panel["gridPos"]
        here = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not here & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= here


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("saltern_drift_opened > 0", ["no metric saltern_drift_opened"]),
        ('saltern_agents{node="w1"}', ["saltern_agents has no node"]),
        ("sum by (kind, zone) (saltern_drift_open)", ["no zone"]),
        ("saltern_drift_heal_seconds > 1", ["no metric saltern_drift_heal_seconds"]),
        ("up == 0", ["no metric"]),
        ("sum by (le) (rate(saltern_drift_heal_seconds_bucket[1h]))", []),
    ],
)
def test_what_is_wrong_is_found(expression: str, found: list[str]) -> None:
    assert wrong(expression) == found


@pytest.mark.skipif(not PROMTOOL.exists(), reason="Debian's package prometheus is not installed")
def test_prometheus_takes_the_rules() -> None:
    command = [str(PROMTOOL), "check", "rules", str(RULES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)

    assert done.returncode == 0, done.stdout + done.stderr
