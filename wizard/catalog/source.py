"""Where a chart comes from: an OCI registry, a Helm repository or a plain manifest, at a pinned version."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import StringConstraints

from wizard.catalog.option import Entry

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
"""A Kubernetes name (RFC 1123 label)."""
Version = Annotated[str, StringConstraints(pattern=r"^v?\d+(\.\d+){1,2}([-+.][0-9A-Za-z.+-]+)?$")]


class OciSource(Entry):
    """A chart in an OCI registry, without `oci://`."""

    oci: Annotated[str, StringConstraints(pattern=r"^[-a-z0-9.]+(:\d+)?(/[-a-z0-9._]+)+$")]
    version: Version


class RepoSource(Entry):
    """A chart in a Helm repository."""

    repo: Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+$")]
    chart: Name
    version: Version


class ManifestSource(Entry):
    """Plain manifests, applied by tierup itself; without `sha256` the digest is pinned at first use."""

    manifest: Annotated[str, StringConstraints(pattern=r"^https://[^\s@]+$")]
    version: Version
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None


def read_source(value: Any) -> Any:
    """Read a source by the one key that says its kind, so that an error is about that kind alone."""
    if isinstance(value, dict):
        for key, model in (("oci", OciSource), ("repo", RepoSource), ("manifest", ManifestSource)):
            if key in value:
                return model.model_validate(value)
        raise ValueError("must have one of `oci`, `repo` or `manifest`")
    return value
