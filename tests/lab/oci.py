"""Pushes charts the way `helm push` does: two blobs and a manifest."""

from __future__ import annotations

import hashlib
import http.client
import json
import time

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


class Registry:
    def __init__(self, port: int) -> None:
        self._port = port

    def wait(self, patience: float = 20) -> None:
        """Until it answers at all (401 counts)."""
        deadline = time.monotonic() + patience
        while True:
            try:
                self._request("GET", "/v2/", None, {})
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def push(self, repository: str, version: str, name: str, archive: bytes) -> None:
        """A `+` in a version is `_` in a tag, as Helm writes it."""
        config = json.dumps({"apiVersion": "v2", "name": name, "version": version}).encode()
        layers = [self._blob(repository, config, CONFIG), self._blob(repository, archive, CHART)]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": layers[0],
            "layers": layers[1:],
            "annotations": {"org.opencontainers.image.title": name, "org.opencontainers.image.version": version},
        }
        tag = version.replace("+", "_")
        status, _, body = self._request(
            "PUT", f"/v2/{repository}/manifests/{tag}", json.dumps(manifest).encode(), {"Content-Type": MANIFEST}
        )
        if status != 201:
            raise RuntimeError(f"push of {repository}:{tag}: {status} {body[:200]!r}")

    def _blob(self, repository: str, data: bytes, media_type: str) -> dict[str, str | int]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        status, location, body = self._request("POST", f"/v2/{repository}/blobs/uploads/", b"", {})
        if status != 202:
            raise RuntimeError(f"upload to {repository}: {status} {body[:200]!r}")
        path = location.partition(f":{self._port}")[2] or location
        mark = "&" if "?" in path else "?"
        status, _, body = self._request("PUT", f"{path}{mark}digest={digest}", data, {"Content-Type": "application/octet-stream"})
        if status != 201:
            raise RuntimeError(f"upload to {repository}: {status} {body[:200]!r}")
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def _request(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.getheader("Location") or "", response.read()
        finally:
            connection.close()
