"""The real Kubernetes API, over TLS with a client certificate of our own authority.

Every call has a deadline. `eviction` is the version's own: policy/v1beta1 up to 1.21, policy/v1
from 1.22 on (Kubernetes' deprecation guide).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from saltern_master.kube.api import BusyError, KubernetesError, NotFoundError, Object

SECONDS: Final = 5.0
MERGE: Final = {"Content-Type": "application/merge-patch+json"}


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API server is and how to be known there. The files hold PEM."""

    server: str  # https://10.9.0.11:6443
    authority: Path
    certificate: Path
    key: Path
    minor: int  # of Kubernetes 1.MINOR

    @property
    def eviction(self) -> str:
        """The apiVersion of Eviction."""
        return "policy/v1" if self.minor >= 22 else "policy/v1beta1"


class KubernetesClient:
    """Speaks with one API server."""

    def __init__(self, access: Access) -> None:
        context = ssl.create_default_context(cafile=str(access.authority))
        context.load_cert_chain(access.certificate, access.key)
        self._access = access
        self._http = httpx.AsyncClient(
            base_url=access.server, verify=context, timeout=SECONDS, trust_env=False
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def ready(self) -> str:
        """Give "" when the server says that it is ready, else why not."""
        try:
            answer = await self._http.get("/readyz")
        except httpx.HTTPError as error:
            return f"{self._access.server} is not reached: {_reason(error)}"
        return "" if answer.status_code == httpx.codes.OK else _said(answer)

    async def nodes(self) -> tuple[Object, ...]:
        """List all Node objects."""
        return tuple((await self._ask("GET", "/api/v1/nodes"))["items"])

    async def patch_node(self, name: str, patch: Object) -> Object:
        """Merge a patch into a Node."""
        return await self._ask("PATCH", f"/api/v1/nodes/{name}", patch, MERGE)

    async def delete_node(self, name: str) -> None:
        """Delete a Node object; one that is not there is no error."""
        try:
            await self._ask("DELETE", f"/api/v1/nodes/{name}")
        except NotFoundError:
            return

    async def pods_on(self, node: str) -> tuple[Object, ...]:
        """List the pods that are bound to a node."""
        selector = {"fieldSelector": f"spec.nodeName={node}"}
        return tuple((await self._ask("GET", "/api/v1/pods", query=selector))["items"])

    async def evict(self, namespace: str, pod: str) -> None:
        """Ask for a pod's orderly end; one that is gone already is no error."""
        eviction = {
            "apiVersion": self._access.eviction,
            "kind": "Eviction",
            "metadata": {"namespace": namespace, "name": pod},
        }
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
        try:
            await self._ask("POST", path, eviction)
        except NotFoundError:
            return

    async def delete_pod(self, namespace: str, pod: str) -> None:
        """Forget a pod whose node is gone for good."""
        query = {"gracePeriodSeconds": "0"}
        try:
            await self._ask("DELETE", f"/api/v1/namespaces/{namespace}/pods/{pod}", query=query)
        except NotFoundError:
            return

    async def _ask(
        self,
        verb: str,
        path: str,
        body: Object | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        what = f"cannot {verb} {path} at {self._access.server}"
        try:
            answer = await self._http.request(verb, path, json=body, headers=headers, params=query)
        except httpx.HTTPError as error:
            raise KubernetesError(f"{what}: {_reason(error)}") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFoundError(f"{what}: there is none")
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise BusyError(f"{what}: {_said(answer)}")
        if answer.is_error:
            raise KubernetesError(f"{what}: {_said(answer)}")
        found: dict[str, Any] = answer.json()
        return found


def _reason(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__


def _said(answer: httpx.Response) -> str:
    """Give the message of a Status object with its causes, or the text that came.

    An eviction's causes name the disruption budget (eviction.go of Kubernetes' pod registry).
    """
    try:
        status = answer.json()
        causes = (status.get("details") or {}).get("causes") or ()
        parts = [status["message"], *(one["message"] for one in causes if one.get("message"))]
        message = " ".join(parts)
    except (ValueError, KeyError, TypeError, AttributeError):
        message = answer.text.strip()[:500]
    return f"{answer.status_code} {message}"
