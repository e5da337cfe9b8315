"""Charts that are no Helm charts: CRDs from a manifest, applied by tierup itself before Cilium (the Gateway API).

The manifest is fetched once, pinned by its SHA-256 and kept in the homelab repository, so that a rebuild needs no internet for
it and a person can read what was applied. Each object carries the digest as an annotation: that is how a probe knows it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from wizard.catalog import ManifestSource
from wizard.errors import InputError, TierupError
from wizard.state import Change

if TYPE_CHECKING:
    from wizard.catalog import Chart
    from wizard.cluster import Api
    from wizard.plan import Plan

ANNOTATION = "tierup.dev/manifest-sha256"
LARGEST = 8 * 1024 * 1024
TIMEOUT = 30.0
KINDS = frozenset({"CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"})
"""What such a manifest may hold: types and the policies that guard them, nothing that runs."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A chart's manifest: its bytes, their digest, and the objects in it, each marked with the digest."""

    chart: str
    data: bytes
    digest: str
    objects: tuple[dict[str, Any], ...]


def repository_path(plan_name: str, chart: str, version: str) -> str:
    """Where the manifest lies in the homelab repository."""
    return f"clusters/{plan_name}/cluster/{chart}/{version}.yaml"


def obtain(chart: Chart, plan: Plan, kept: Callable[[str], bytes | None]) -> Manifest:
    """The manifest of a chart: as the repository has it, else fetched. Raises TierupError when it is neither, or not what is pinned."""
    source = chart.source
    if not isinstance(source, ManifestSource):
        raise TierupError(f"{chart.id} is no manifest")
    path = repository_path(plan.name, chart.id, source.version)
    data = kept(path)
    if data is None:
        url = source.manifest
        if plan.registry is not None and plan.registry.http:
            parts = urlsplit(url)
            url = f"{plan.registry.http.rstrip('/')}/{parts.netloc}{parts.path}"
        data = _fetch(url, chart.id)
    digest = hashlib.sha256(data).hexdigest()
    pinned = source.sha256
    if pinned and pinned != digest and not (plan.registry is not None and plan.registry.http):
        raise TierupError(
            f"the manifest of {chart.id} {source.version} is not the one the catalog pins (SHA-256 {digest[:16]}…)",
            remedy="do not go on with it: somebody replaced a released file; check the project's release page",
        )
    return Manifest(chart.id, data, digest, _objects(chart.id, data, digest))


def absent(manifest: Manifest, api: Api) -> list[dict[str, Any]]:
    """The objects the cluster does not have in this form."""
    found = []
    for obj in manifest.objects:
        present = api.find(api.path_of(obj))
        if present is None or (present["metadata"].get("annotations") or {}).get(ANNOTATION) != manifest.digest:
            found.append(obj)
    return found


def changes(manifest: Manifest, missing: Sequence[Mapping[str, Any]]) -> tuple[Change, ...]:
    """The missing objects in words."""
    return tuple(Change("object", "create", f"{o['kind']} {o['metadata']['name']}", manifest.chart) for o in missing)


def _objects(chart: str, data: bytes, digest: str) -> tuple[dict[str, Any], ...]:
    import yaml

    try:
        documents = [d for d in yaml.load_all(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if d]
    except yaml.YAMLError:
        raise InputError(f"the manifest of {chart} is not YAML") from None
    objects = []
    for document in documents:
        kind = document.get("kind") if isinstance(document, dict) else None
        if kind not in KINDS:
            raise InputError(f"the manifest of {chart} holds a {kind}: only CRDs and their policies are applied this way")
        meta = document["metadata"]
        meta["annotations"] = {**(meta.get("annotations") or {}), ANNOTATION: digest}
        document.pop("status", None)
        objects.append(document)
    if not objects:
        raise InputError(f"the manifest of {chart} is empty")
    return tuple(objects)


def _fetch(url: str, chart: str) -> bytes:
    import urllib3

    try:
        with urllib3.PoolManager() as pool:
            response = pool.request(
                "GET", url, timeout=urllib3.Timeout(TIMEOUT), preload_content=False, retries=urllib3.Retry(2, redirect=5)
            )
            data: bytes = response.read(LARGEST + 1)
    except urllib3.exceptions.HTTPError as error:
        raise TierupError(
            f"the manifest of {chart} cannot be fetched from {urlsplit(url).netloc}", remedy="check the internet access"
        ) from error
    if response.status != 200:
        raise TierupError(f"the manifest of {chart} cannot be fetched: {urlsplit(url).netloc} answers {response.status}")
    if len(data) > LARGEST:
        raise TierupError(f"the manifest of {chart} is larger than {LARGEST >> 20} MiB")
    return data
