"""Pods for the tests: an echo to be asked, one that asks, and what a pod itself can reach."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.cluster.cluster import NAMES, Cluster, Json, is_ready

PORT = 8080

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
ASK_API = """
import json, ssl, sys, urllib.request
folder, url = sys.argv[1:]
trusted = ssl.create_default_context(cafile=folder + "/ca.crt")
token = open(folder + "/token").read()
asked = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
print(urllib.request.urlopen(asked, context=trusted, timeout=10).read().decode())
"""
"""Run in a pod's network with its account's files: its own image has no program for TLS."""


@dataclass(frozen=True, slots=True)
class Pods:
    """Pods of one test in the default namespace, all gone at its end."""

    cluster: Cluster

    def echo(self, name: str, node: str) -> Json:
        """Run an echo on a node with a Service before it; gives the pod, Ready."""
        self.create(pod(name, node, "saltern/echo:1", ()), service(name))
        return self.cluster.wait(f"{name} to be Ready", lambda: self._ready(name))

    def deploy(self, name: str, node: str) -> None:
        """Have a Deployment keep one echo; its first one runs on this node."""
        others = [one for one in NAMES if one != node]
        self.cluster.kubectl("cordon", *others)
        try:
            self.create(deployment(name))
            (found,) = self.cluster.wait(f"{name} to be Ready", lambda: self.ready_of(name))
        finally:
            self.cluster.kubectl("uncordon", *others)
        assert found["spec"]["nodeName"] == node

    def ready_of(self, name: str) -> list[Json] | None:
        """Give the pods of a Deployment once they are one, and Ready."""
        found = self.cluster.objects("pods", "--selector", f"app={name}")
        return found if len(found) == 1 and is_ready(found[0]) else None

    def ask(self, name: str, node: str, to: str, port: int) -> tuple[str, str]:
        """Ask an echo from a pod on a node; gives the answer and the address of who asked."""
        self.create(pod(name, node, "saltern/ask:1", (to, str(port))))
        self.cluster.wait(f"{name} to have asked", lambda: self._has_ended(name))
        address = self.get(name)["status"]["podIP"]
        return self.cluster.kubectl("logs", name), str(address)

    def get(self, name: str) -> Json:
        """Give a pod as the API server has it."""
        done = self.cluster.fleet.kubectl("get", "pod", name, "--output", "json")
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    def ask_api(self, name: str, node: str, path: str) -> Json:
        """Ask the API server through its Service, as the program in a pod would."""
        (status,) = self.get(name)["status"]["containerStatuses"]
        container = status["containerID"].removeprefix("docker://")
        (told,) = json.loads(self.cluster.say(node, "docker", "inspect", container))
        (folder,) = [one["Source"] for one in told["Mounts"] if one["Destination"] == ACCOUNT]
        url = f"https://{self.address_of_service('kubernetes')}{path}"
        enter = ("nsenter", "--net", "--target", str(told["State"]["Pid"]))
        said = self.cluster.say(node, *enter, "python3", "-c", ASK_API, folder, url)
        return dict(json.loads(said))

    def address_of_service(self, name: str) -> str:
        """Give a Service's cluster address."""
        said = self.cluster.kubectl("get", "service", name, "--output", "json")
        return str(json.loads(said)["spec"]["clusterIP"])

    def clear(self) -> None:
        """Take everything away, and wait until it is gone.

        By force: a kubelet of 1.20 lets go of a pod only when it sweeps, once a minute.
        """
        at_once = ("--selector", "test=saltern", "--grace-period=0", "--force", "--wait=false")
        self.cluster.kubectl("delete", "deployments,services,poddisruptionbudgets", *at_once)
        self.cluster.wait("the test's pods to be gone", lambda: self._is_clear(at_once))

    def _is_clear(self, at_once: tuple[str, ...]) -> bool:
        self.cluster.kubectl("delete", "pods", *at_once)
        done = self.cluster.fleet.kubectl("get", "pods", "--output", "name")
        gone = done.returncode == 0 and not done.stdout.strip()
        return gone and not any(self.cluster.containers(name) for name in ("w1", "w2"))

    def create(self, *things: Json) -> None:
        """Create objects, once the default account is there."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(things)}
        path = self.cluster.fleet.cluster.with_name("pods.json")
        path.write_text(json.dumps(listed))
        self.cluster.wait("the default account", self._has_account)
        self.cluster.kubectl("create", "--filename", str(path))

    def _has_account(self) -> bool:
        done = self.cluster.fleet.kubectl("get", "serviceaccount", "default", "--output", "json")
        return done.returncode == 0 and "secrets" in json.loads(done.stdout)

    def _ready(self, name: str) -> Json | None:
        found = self.get(name)
        return found if found and is_ready(found) else None

    def _has_ended(self, name: str) -> bool:
        found = self.get(name)
        phase = found.get("status", {}).get("phase") if found else None
        assert phase != "Failed", self.cluster.fleet.kubectl("logs", name).stdout
        return phase == "Succeeded"


LABELS = {"test": "saltern"}


def pod(name: str, node: str, image: str, arguments: tuple[str, ...]) -> Json:
    """Describe a pod on a node."""
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": list(arguments),
    }
    spec = {"nodeName": node, "restartPolicy": "Never", "containers": [container]}
    metadata = {"name": name, "labels": LABELS | {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def deployment(name: str) -> Json:
    """Describe a Deployment of one echo."""
    made = pod(name, "", "saltern/echo:1", ())
    inner = made["spec"] | {"restartPolicy": "Always", "terminationGracePeriodSeconds": 2}
    template = {"metadata": {"labels": made["metadata"]["labels"]}, "spec": inner}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template}
    metadata = {"name": name, "labels": LABELS}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def service(name: str) -> Json:
    """Describe a Service before the pods of this name, at port 80."""
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": PORT}]}
    metadata = {"name": name, "labels": LABELS}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
