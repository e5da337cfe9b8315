"""The shelf: every chart of the catalog packed and put where its mirror address says, manifests and a Helm repository over plain HTTP."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.lab import chart as stand_in
from tests.lab import fluxcharts, kinds, oci
from tests.lab.build import Programs

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RuntimeCrds:
    """CRDs that an operator makes itself once it runs."""

    chart: str
    manifests: list[Entry]


def mirror_path(source: Entry) -> str:
    """`oci: h/p/c` -> `h/p/c`; `repo: https://h/p` with `chart: c` -> `h/p/c`."""
    if "oci" in source:
        return str(source["oci"])
    return re.sub(r"^https?://", "", str(source["repo"])).rstrip("/") + "/" + str(source["chart"])


def seconds(text: str) -> float:
    found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", text)
    return int(found[1] or 0) * 60 + int(found[2] or 0) if found else 30


class Shelf:
    def __init__(self, catalog: Path, programs: Programs, http: Path, ports: dict[str, int]) -> None:
        self._programs = programs
        self._http = http
        self._ports = ports
        self._registry = oci.Registry(ports["registry"])
        self.entries: dict[str, Entry] = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(catalog.glob("*/*.yaml"))}
        self.entries |= fluxcharts.ENTRIES
        self.manifests: dict[str, str] = {}
        self._used = [found for entry in self.entries.values() for found in _used(entry)]

    def ready_after(self) -> dict[str, float]:
        """A tenth of the chart's own figure, 1 to 6 seconds."""
        return {
            name: min(max(seconds(str((entry.get("ready") or {}).get("after", "30s"))) / 10, 1), 6) for name, entry in self.entries.items()
        }

    def wait_for_registry(self) -> None:
        self._registry.wait()

    def publish(self) -> int:
        """Packs and pushes everything; the number of charts."""
        self.wait_for_registry()
        (self._http / "charts").mkdir(exist_ok=True)
        index: dict[str, list[Entry]] = {}
        for name, entry in self.entries.items():
            if "manifest" in entry["source"]:
                self._manifest(entry)
                continue
            title, version = stand_in.chart_name(entry), str(entry["source"]["version"])
            archive = stand_in.pack(title, self._files(name, entry))
            self._registry.push(mirror_path(entry["source"]), version, title, archive)
            file = f"{title}-{version}.tgz"
            (self._http / "charts" / file).write_bytes(archive)
            index.setdefault(title, []).append(
                {
                    "apiVersion": "v2",
                    "name": title,
                    "version": version,
                    "appVersion": version,
                    "urls": [f"http://127.0.0.1:{self._ports['http']}/charts/{file}"],
                    "digest": hashlib.sha256(archive).hexdigest(),
                    "created": "2026-01-01T00:00:00Z",
                }
            )
        (self._http / "charts" / "index.yaml").write_text(json.dumps({"apiVersion": "v1", "entries": index}))
        return sum(len(versions) for versions in index.values())

    def runtime_crds(self) -> list[RuntimeCrds]:
        return [
            RuntimeCrds(name, [kinds.crd(crd, self._used) for crd in entry["crds"]["names"]])
            for name, entry in self.entries.items()
            if (entry.get("crds") or {}).get("class") == "runtime"
        ]

    def _files(self, name: str, entry: Entry) -> dict[str, str]:
        if name == "flux-operator":
            return fluxcharts.flux_operator(self._programs.control / "crds" / "flux-operator")
        if name == "flux-instance":
            return fluxcharts.flux_instance()
        return stand_in.files(name, entry, self._used)

    def _manifest(self, entry: Entry) -> None:
        url = str(entry["source"]["manifest"])
        genuine = self._programs.gateway_api if "/gateway-api/" in url else None
        if genuine is not None:
            text = "\n---\n".join(path.read_text() for path in sorted(genuine.glob("*.yaml")))
        else:
            text = "\n---\n".join(json.dumps(kinds.crd(name, self._used)) for name in (entry.get("crds") or {}).get("names", []))
        path = self._http / re.sub(r"^https?://", "", url)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.manifests[url] = hashlib.sha256(text.encode()).hexdigest()


def _used(entry: Entry) -> list[tuple[str, str]]:
    """apiVersion and kind of the custom resources in an entry."""
    resources = entry.get("resources") or {}
    items = [item for group in ("claims", "config") for item in resources.get(group) or []]
    return [(str(item["apiVersion"]), str(item["kind"])) for item in items]
