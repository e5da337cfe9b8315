"""List, then watch, for ever: a thread that keeps a dictionary of one kind's objects."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from typing import Any

from tests.lab.api import Api, ApiError

Object = dict[str, Any]


class Reflector:
    """Objects by uid; `changed` is called in the reflector's thread, with the object after a change, with None after a new listing."""

    def __init__(self, api: Api, path: str, changed: Callable[[Object | None], None] | None = None) -> None:
        self._api = api
        self._path = path
        self._changed = changed or (lambda _: None)
        self._lock = threading.Lock()
        self._objects: dict[str, Object] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"reflect {path}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def all(self) -> list[Object]:
        with self._lock:
            return list(self._objects.values())

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (OSError, http.client.HTTPException, ApiError, ValueError):
                self._stop.wait(0.3)  # the API server is down, paused or starting: ask again

    def _follow(self) -> None:
        listing = self._api.call("GET", self._path)
        with self._lock:
            self._objects = {item["metadata"]["uid"]: item for item in listing["items"]}
        self._changed(None)
        for event in self._api.watch(self._path, listing["metadata"]["resourceVersion"], self._stop):
            item = event["object"]
            if event["type"] == "ERROR":
                return
            if event["type"] == "BOOKMARK":
                continue
            with self._lock:
                if event["type"] == "DELETED":
                    self._objects.pop(item["metadata"]["uid"], None)
                else:
                    self._objects[item["metadata"]["uid"]] = item
            self._changed(item)
