"""What the API server's audit log says of an installation: what began before what it waits for was Ready, who wrote what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from tests.lab import Lab
from tests.lab.steps import is_ready
from wizard.catalog import load as load_catalog
from wizard.order import resolve
from wizard.plan import Plan

Event = dict[str, Any]
Name = tuple[str, str, str]
"""Kind in the plural, namespace, name."""
FIRST_INSTALL = re.compile(r"sh\.helm\.release\.v1\.(?P<name>.+)\.v1")
ASKS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews")


def expected(plan: Plan) -> set[tuple[Name, Name]]:
    """The edges of the plan's order as Flux objects: a HelmRelease and what must be Ready before it is installed.

    Taken from the order, not from what stands in the cluster: an edge that was lost on the way is missed.
    """
    catalog = load_catalog()
    found = set()
    for edge in resolve(plan, catalog, None).edges:
        waiting, (before, _, part) = edge.source, edge.target.partition("/")
        if "/" in waiting or catalog.charts[waiting].tier == "cluster" or (not part and catalog.charts[before].tier == "cluster"):
            continue
        target = ("kustomizations", "flux-system", f"{before}-{part}") if part else release(before)
        found.add((release(waiting), target))
    return found


def release(chart: str) -> Name:
    entry = load_catalog().charts[chart]
    return "helmreleases", entry.namespace, entry.release or entry.id


def too_early(events: Iterable[Event], edges: set[tuple[Name, Name]]) -> set[tuple[Name, Name]]:
    """The edges whose waiting HelmRelease began its first install (its Helm storage Secret was made) before the other was Ready, or
    before it existed. An edge of a HelmRelease that never began is one as well: nothing is known of it."""
    ready: set[Name] = set()
    begun: set[Name] = set()
    broken: set[tuple[Name, Name]] = set()
    for event in events:
        about = event["objectRef"]
        name = about.get("resource", ""), about.get("namespace", ""), about.get("name", "")
        if event["responseStatus"]["code"] >= 300 or "dryRun=All" in event["requestURI"]:
            continue
        if name[0] in ("helmreleases", "kustomizations") and is_ready(event.get("responseObject") or {}) and _current(event):
            ready.add(name)
        elif name[0] == "secrets" and event["verb"] == "create" and (found := FIRST_INSTALL.fullmatch(name[2])):
            starting = ("helmreleases", name[1], found["name"])
            begun.add(starting)
            broken |= {(source, target) for source, target in edges if source == starting and target not in ready}
    return broken | {(source, target) for source, target in edges if source not in begun}


def _current(event: Event) -> bool:
    answer = event["responseObject"]
    return bool(answer["status"].get("observedGeneration") == answer["metadata"]["generation"])


def written(events: Iterable[Event]) -> list[str]:
    """What the operator's programs (tierup, Terraform, its providers, Helm) wrote; questions and dry runs left out."""
    return [
        f"{event.get('userAgent')}: {event['verb']} {event['requestURI']}"
        for event in events
        if event["user"]["username"] == "lab-operator"
        and event.get("userAgent")
        and event["objectRef"].get("resource") not in ASKS
        and "dryRun=All" not in event["requestURI"]
    ]


def since(lab: Lab, number: int) -> Iterator[Event]:
    """Audit events from the one of that number on."""
    return (event for count, event in enumerate(lab.audit()) if count >= number)


def helm_versions(lab: Lab) -> set[tuple[str, str]]:
    """Namespace and name of every Helm storage Secret: one per release and version."""
    found = lab.api("GET", "/api/v1/secrets?labelSelector=owner=helm")["items"]
    return {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in found}


def pods(lab: Lab) -> dict[str, int]:
    """Uid of each pod with the restarts of its containers."""
    return {
        item["metadata"]["uid"]: sum(status["restartCount"] for status in item["status"].get("containerStatuses", []))
        for item in lab.api("GET", "/api/v1/pods")["items"]
    }


def not_ready(lab: Lab) -> list[str]:
    """The HelmReleases and Kustomizations that are not Ready."""
    lists = ("/apis/helm.toolkit.fluxcd.io/v2/helmreleases", "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations")
    return [
        f"{i['metadata']['namespace']}/{i['metadata']['name']}" for path in lists for i in lab.api("GET", path)["items"] if not is_ready(i)
    ]
