"""What a killed run leaves in the cluster: told apart from what is somebody else's, without reading a value."""

from __future__ import annotations

from typing import Any

import pytest

from wizard.terraform.recovery import pending_releases, remove, strays

SECRET = 'kubernetes_secret_v1.this["{}"]'


class Cluster:
    """Answers as the API server does for metadata lists; nothing else can be asked."""

    def __init__(self, *objects: tuple[str, str, str, dict[str, str]]) -> None:
        self.objects = list(objects)
        self.deleted: list[str] = []

    def metadata(self, path: str, **params: object) -> list[dict[str, Any]]:
        wanted = dict(part.split("=") for selector in params.values() for part in str(selector).split(","))
        name = wanted.pop("metadata.name", None)
        return [
            {"metadata": {"name": n, "namespace": ns, "labels": labels}}
            for ns, kind, n, labels in self.objects
            if path == f"/api/v1/namespaces/{ns}/{kind}" and name in (None, n) and wanted.items() <= labels.items()
        ]

    def delete(self, path: str, **params: object) -> None:
        self.deleted.append(path)


def test_ours_are_found_by_label_and_foreign_ones_are_only_named() -> None:
    api = Cluster(
        ("a", "secrets", "ours", {"tierup/cluster": "home"}),
        ("a", "secrets", "theirs", {}),
        ("a", "secrets", "another", {"tierup/cluster": "work"}),
        ("a", "configmaps", "settings", {"tierup/cluster": "home"}),
        ("a", "secrets", "on-record", {"tierup/cluster": "home"}),
    )
    planned = [SECRET.format(f"a/{n}") for n in ("ours", "theirs", "another", "absent")]
    found = strays(api, [*planned, 'kubernetes_config_map_v1.this["a/settings"]', 'kubernetes_namespace_v1.this["a"]'], "home")
    assert found.ours == ("/api/v1/namespaces/a/configmaps/settings", "/api/v1/namespaces/a/secrets/ours")
    assert found.foreign == ("Secret a/another", "Secret a/theirs")
    remove(api, found.ours)
    assert api.deleted == list(found.ours)


def _record(version: int, status: str, name: str = "flux") -> tuple[str, str, str, dict[str, str]]:
    labels = {"owner": "helm", "name": name, "version": str(version), "status": status}
    return ("flux-system", "secrets", f"sh.helm.release.v1.{name}.v{version}", labels)


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "pending-rollback"])
def test_only_the_newest_record_of_a_release_counts(status: str) -> None:
    path = "/api/v1/namespaces/flux-system/secrets/sh.helm.release.v1.flux.v10"
    api = Cluster(_record(9, "deployed"), _record(10, status), _record(2, "superseded"), _record(1, status, "other"))
    assert pending_releases(api, [("flux-system", "flux"), ("flux-system", "absent")]) == (path,)
    overcome = Cluster(_record(9, status), _record(10, "deployed"))
    assert pending_releases(overcome, [("flux-system", "flux")]) == ()
