"""One stand-in chart: what the catalog says of a chart, as a Helm chart whose pods the lab's kubelet runs."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable
from typing import Any

from tests.lab import kinds

Entry = dict[str, Any]
FAULT = """{{- $fault := dig "data" "@ID@" "" (lookup "v1" "ConfigMap" "kube-system" "lab-knobs") }}
"""
RENDER = """{{- if eq $fault "render" }}{{ fail "lab: this chart fails to render because a knob says so" }}{{ end }}
"""
RESTRICTED: Entry = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def chart_name(entry: Entry) -> str:
    source = entry["source"]
    return str(source.get("chart") or source["oci"].rpartition("/")[2])


def files(chart: str, entry: Entry, used: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Path in the chart -> text."""
    version = str(entry["source"]["version"])
    meta = {
        "apiVersion": "v2",
        "name": chart_name(entry),
        "version": version,
        "appVersion": version,
        "description": f"stand-in for {entry['title']}",
    }
    content = {"Chart.yaml": json.dumps(meta), "values.yaml": "{}\n"}
    head = FAULT.replace("@ID@", chart) + RENDER
    content["templates/workloads.yaml"] = head + _documents(_workloads(chart, entry, version))
    content["templates/hook.yaml"] = (
        FAULT.replace("@ID@", chart)
        + '{{- if eq $fault "hook" }}\n'
        + _documents([hook(chart, {"lab/outcome": "fail"}, "pre-install,pre-upgrade")])
        + "{{ end }}\n"
    )
    classes = entry.get("classes") or {}
    content["templates/classes.yaml"] = _documents(_classes(classes, chart))
    crds = entry.get("crds") or {}
    made = [kinds.crd(name, used, keep=crds["class"] == "keep") for name in crds.get("names", [])] if crds.get("class") != "runtime" else []
    if made:
        content["crds/crds.yaml" if crds["class"] == "folder" else "templates/crds.yaml"] = _documents(made)
    return content


def pack(name: str, content: dict[str, str]) -> bytes:
    """The same bytes for the same content, today and tomorrow."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, text in sorted(content.items(), key=lambda item: (item[0] != "Chart.yaml", item[0])):
            data = text.encode()
            info = tarfile.TarInfo(f"{name}/{path}")
            info.size, info.mode = len(data), 0o644
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), 6, mtime=0)


def _documents(objects: Iterable[Entry]) -> str:
    return "".join(f"---\n{json.dumps(item)}\n" for item in objects)


def _labels(chart: str) -> dict[str, str]:
    return {"lab/chart": chart, "app.kubernetes.io/name": chart, "app.kubernetes.io/instance": "{{ .Release.Name }}"}


def _pod(chart: str, entry: Entry, workload: str, version: str) -> Entry:
    level = (entry.get("podSecurity") or {}).get("level", "restricted")
    container: Entry = {"name": workload, "image": f"lab.invalid/{chart}/{workload}:{version}", "env": _environment(entry)}
    spec: Entry = {"containers": [container]}
    if level == "restricted":
        container["securityContext"] = RESTRICTED
    elif level == "privileged":
        container["securityContext"] = {"privileged": True}
        spec |= {"hostNetwork": True, "volumes": [{"name": "host", "hostPath": {"path": "/"}}]}
        container["volumeMounts"] = [{"name": "host", "mountPath": "/host"}]
    return spec


def _environment(entry: Entry) -> list[Entry]:
    """A pod waits (CreateContainerConfigError) until the Secrets its chart is said to need are there, with their keys."""
    return [
        {
            "name": name.upper().replace("-", "_"),
            "valueFrom": {
                "secretKeyRef": {"name": need["secret"], "key": need.get("key", name)} | ({"optional": True} if need.get("when") else {})
            },
        }
        for name, need in (entry.get("secrets") or {}).items()
        if need.get("secret") and not need.get("valuesFrom") and need.get("namespace", entry["namespace"]) == entry["namespace"]
    ]


def _workloads(chart: str, entry: Entry, version: str) -> list[Entry]:
    found = []
    for workload in entry.get("workloads") or []:
        name = workload["name"]
        selector = {"lab/chart": chart, "lab/workload": name}
        template = {
            "metadata": {"labels": _labels(chart) | selector, "annotations": {"lab/values": "{{ .Values | toJson | sha256sum }}"}},
            "spec": _pod(chart, entry, name, version),
        }
        spec: Entry = {"selector": {"matchLabels": selector}, "template": template}
        if workload["kind"] == "StatefulSet":
            spec["serviceName"] = name
            found.append(
                {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"clusterIP": "None", "selector": selector}}
            )
            if any(need["what"] == "storage-class" and not need.get("when") for need in entry.get("requires") or []):
                spec["volumeClaimTemplates"] = [claim()]
        found.append(
            {"apiVersion": "apps/v1", "kind": workload["kind"], "metadata": {"name": name, "labels": _labels(chart)}, "spec": spec}
        )
    return found


def claim(name: str = "data") -> Entry:
    return {"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}


def hook(chart: str, labels: dict[str, str], when: str) -> Entry:
    """A Job that Helm waits for; its pod's end is what its labels tell the kubelet."""
    pod = {
        "restartPolicy": "Never",
        "containers": [{"name": "hook", "image": f"lab.invalid/{chart}/hook:1", "securityContext": RESTRICTED}],
    }
    annotations = {"helm.sh/hook": when, "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{chart}-hook", "annotations": annotations},
        "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": _labels(chart) | labels}, "spec": pod}},
    }


def _classes(classes: dict[str, list[str]], chart: str) -> list[Entry]:
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    storage = [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": name, "annotations": default},
            "provisioner": (classes.get("csi") or [f"{chart}.lab.invalid"])[0],
        }
        for name in classes.get("storage") or []
    ]
    ingress = [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": name},
            "spec": {"controller": f"lab.invalid/{name}"},
        }
        for name in classes.get("ingress") or []
    ]
    drivers = [
        {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": name}, "spec": {"attachRequired": False}}
        for name in classes.get("csi") or []
    ]
    return [*storage, *ingress, *drivers]
