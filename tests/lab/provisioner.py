"""A storage provisioner for every StorageClass: a claim gets a volume that exists only as an object."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from tests.lab.api import Api, ApiError
from tests.lab.reflector import Reflector

Object = dict[str, Any]


class Provisioner:
    """Binds claims whose class exists, at once, whatever the class's binding mode; removes volumes that were released."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._claims = Reflector(api, "/api/v1/persistentvolumeclaims", lambda _: self._bind())
        self._volumes = Reflector(api, "/api/v1/persistentvolumes", self._release)
        self._classes = Reflector(api, "/apis/storage.k8s.io/v1/storageclasses", lambda _: self._bind())

    def start(self) -> None:
        for reflector in (self._classes, self._claims, self._volumes):
            reflector.start()

    def stop(self) -> None:
        for reflector in (self._classes, self._claims, self._volumes):
            reflector.stop()

    def _bind(self) -> None:
        classes = {item["metadata"]["name"]: item for item in self._classes.all()}
        for claim in self._claims.all():
            storage_class = classes.get(claim["spec"].get("storageClassName") or "")
            if storage_class and claim["status"].get("phase") != "Bound" and not claim["spec"].get("volumeName"):
                self._make(volume_for(claim, storage_class))

    def _make(self, volume: Object) -> None:
        try:
            self._api.call("POST", "/api/v1/persistentvolumes", volume)
        except ApiError as problem:
            if problem.status != 409:  # made by another of the three threads a moment ago
                print(f"provisioner: {problem}", file=sys.stderr, flush=True)

    def _release(self, volume: Object | None) -> None:
        if volume is None or volume["metadata"].get("annotations", {}).get("pv.kubernetes.io/provisioned-by") is None:
            return
        if volume["status"].get("phase") == "Released" and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
            with contextlib.suppress(ApiError):
                self._api.call("DELETE", f"/api/v1/persistentvolumes/{volume['metadata']['name']}")


def volume_for(claim: Object, storage_class: Object) -> Object:
    meta = claim["metadata"]
    driver = storage_class["provisioner"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pvc-{meta['uid']}", "annotations": {"pv.kubernetes.io/provisioned-by": driver}},
        "spec": {
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"]["accessModes"],
            "volumeMode": claim["spec"].get("volumeMode", "Filesystem"),
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
            "storageClassName": storage_class["metadata"]["name"],
            "csi": {"driver": driver.replace("/", "."), "volumeHandle": meta["uid"]},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
            },
        },
    }
