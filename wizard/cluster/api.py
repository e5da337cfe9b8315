"""The Kubernetes API as raw JSON over one connection pool: time limits on every call, no hidden retries, every failure an `ApiError`.

Thread-safe. `get`, `find`, `list` and `metadata` wait as told when the server is too busy (429 with Retry-After, which every kind answers
for a second after its CRD was made: "storage is (re)initializing"), 5 s in all; other repeats are the caller's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from wizard.cluster import apierror
from wizard.cluster.apierror import ApiError
from wizard.cluster.resources import known_path
from wizard.cluster.transport import Transport

PAGE = 500
"""Objects per list request, as kubectl asks (reliability.md 3.5)."""
PATIENCE = 5.0
"""Seconds in all that a reading call waits for a server that is too busy."""
FIELD_MANAGER = "tierup"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

T = TypeVar("T")
Object = dict[str, Any]
Objects = list[Object]


class Api(Transport):
    """What one asks an API server for, on top of its `Transport`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._lock = threading.Lock()
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    def get(self, path: str, **params: object) -> dict[str, Any]:
        """The object or list at `path`."""
        return self._patient(lambda: self.request("GET", path, params=params))

    def find(self, path: str, **params: object) -> dict[str, Any] | None:
        """The object at `path`, None when there is none (or no such kind)."""
        try:
            return self.get(path, **params)
        except ApiError as error:
            if error.missing:
                return None
            raise

    def list(self, path: str, **params: object) -> Objects:
        """All objects at `path`, page by page from a quorum read; each carries apiVersion and kind. Starts again without pages when the
        server forgets where it was (410)."""
        try:
            return self._patient(lambda: self.list_from(path, params)[0])
        except ApiError as error:
            if not error.gone:
                raise
            return self.list_from(path, params, limit=0)[0]

    def list_from(
        self, path: str, params: Mapping[str, object] | None = None, *, accept: str = "application/json", limit: int = PAGE
    ) -> tuple[Objects, str]:
        """The objects at `path` and the resourceVersion to watch from. Raises ApiError with `gone` when a page has expired."""
        found: Objects = []
        token = ""
        while True:
            asked = dict(params or {}) | ({"limit": limit} if limit else {}) | ({"continue": token} if token else {})
            page = self.request("GET", path, params=asked, accept=accept)
            items, meta = page.get("items"), page.get("metadata")
            if not (isinstance(items, list) or items is None) or not isinstance(meta, dict):
                raise ApiError(f"{self.server} answers {path} with something that is no list", reason="garbled")
            kind = str(page.get("kind", "")).removesuffix("List")
            for item in items or ():
                if isinstance(item, dict):
                    if kind and kind != "PartialObjectMetadata":
                        item.setdefault("kind", kind)
                        item.setdefault("apiVersion", page.get("apiVersion", "v1"))
                    found.append(item)
            token = str(meta.get("continue") or "")
            if not token:
                return found, str(meta.get("resourceVersion") or "")

    def metadata(self, path: str, **params: object) -> Objects:
        """Metadata alone of the objects at `path` (PartialObjectMetadata): how Secrets are looked at without their values."""
        return self._patient(lambda: self.list_from(path, params, accept=METADATA_LIST)[0])

    def apply(self, obj: Mapping[str, Any], *, manager: str = FIELD_MANAGER, force: bool = False, dry_run: bool = False) -> dict[str, Any]:
        """Server-side apply. Raises FieldConflict (needs the operator) that names who owns a field, unless `force`."""
        path = self.path_of(obj)
        params = {"fieldManager": manager, "force": "true" if force else "false"} | ({"dryRun": "All"} if dry_run else {})
        try:
            return self.request("PATCH", path, params=params, body=obj, content_type=APPLY)
        except ApiError as error:
            if error.status == 409 and "conflict" in error.what.lower() and not force:
                meta = obj.get("metadata") or {}
                raise apierror.field_conflict(error, f"{obj.get('kind')} {meta.get('namespace', '')}/{meta.get('name', '')}") from error
            raise

    def create(self, path: str, obj: Mapping[str, Any], **params: object) -> dict[str, Any]:
        """Create `obj` in the collection `path`."""
        return self.request("POST", path, params={"fieldManager": FIELD_MANAGER} | params, body=obj)

    def replace(self, path: str, obj: Mapping[str, Any], **params: object) -> dict[str, Any]:
        """Put `obj` at `path`; with its resourceVersion set, only over that very version (409 otherwise)."""
        return self.request("PUT", path, params={"fieldManager": FIELD_MANAGER} | params, body=obj)

    def patch(self, path: str, body: Any, content_type: str = MERGE, **params: object) -> dict[str, Any]:
        """Patch the object at `path`; a merge patch unless `content_type` says otherwise."""
        return self.request("PATCH", path, params={"fieldManager": FIELD_MANAGER} | params, body=body, content_type=content_type)

    def delete(self, path: str, **params: object) -> dict[str, Any]:
        """Delete the object at `path`."""
        return self.request("DELETE", path, params=params)

    def path_of(self, obj: Mapping[str, Any]) -> str:
        """The path of an object by its apiVersion, kind, namespace and name; kinds that are not known are looked up once."""
        meta = obj.get("metadata") or {}
        return self.resource_path(
            str(obj.get("apiVersion")), str(obj.get("kind")), str(meta.get("namespace") or ""), str(meta.get("name") or "")
        )

    def resource_path(self, api_version: str, kind: str, namespace: str = "", name: str = "") -> str:
        """The path of a resource, or of its collection without `name`. Raises ApiError 404 for a kind the server does not have."""
        known = known_path(api_version, kind, namespace, name)
        if known:
            return known
        with self._lock:
            kinds = self._kinds.get(api_version)
        if kinds is None or kind not in kinds:
            base = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
            listed = self.get(base).get("resources") or []
            kinds = {str(r["kind"]): (str(r["name"]), bool(r.get("namespaced"))) for r in listed if "/" not in str(r.get("name", "/"))}
            with self._lock:
                self._kinds[api_version] = kinds
        if kind not in kinds:
            raise ApiError(
                f"the server has no kind {kind} in {api_version}", status=404, reason="NotFound", remedy="its CRD is not installed"
            )
        plural, namespaced = kinds[kind]
        return known_path(api_version, kind, namespace, name, plural=plural, namespaced=namespaced) or ""

    def _patient(self, ask: Callable[[], T]) -> T:
        left = PATIENCE
        while True:
            try:
                return ask()
            except ApiError as error:
                if error.status != 429 or not error.retry_after or error.retry_after > left:
                    raise
                left -= error.retry_after
                self._clock.wait(threading.Event(), error.retry_after)
