"""The two charts that Terraform installs: flux-operator with its genuine CRDs, flux-instance that renders one FluxInstance."""

from __future__ import annotations

import json
from pathlib import Path

from tests.lab.chart import FAULT, RENDER, RESTRICTED, Entry, hook

VERSION = "0.58.1"
SOURCE = "ghcr.io/controlplaneio-fluxcd/charts"
ENTRIES: dict[str, Entry] = {
    name: {"title": name, "source": {"oci": f"{SOURCE}/{name}", "version": VERSION}, "namespace": "flux-system", "ready": {"after": "10s"}}
    for name in ("flux-operator", "flux-instance")
}
INSTANCE = """apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata:
  name: {{ .Values.fullnameOverride }}
  namespace: {{ .Release.Namespace }}
  labels: {{ toJson (merge (dict "app.kubernetes.io/managed-by" "Helm") (.Values.commonLabels | default dict)) }}
  annotations: {{ toJson (.Values.commonAnnotations | default dict) }}
{{- $spec := dict }}
{{- range $field, $value := .Values.instance }}
{{- if kindIs "map" $value }}
{{- $kept := dict }}
{{- range $key, $inner := $value }}
{{- $empty := or (kindIs "invalid" $inner) (and (kindIs "string" $inner) (eq $inner "")) }}
{{- if not (or $empty (eq $key "artifact")) }}{{ $_ := set $kept $key $inner }}{{ end }}
{{- end }}
{{- if $kept }}{{ $_ := set $spec $field $kept }}{{ end }}
{{- else if $value }}{{ $_ := set $spec $field $value }}
{{- end }}
{{- end }}
{{- if not (dig "sync" "url" "" $spec) }}{{ $_ := unset $spec "sync" }}{{ end }}
spec: {{ toJson $spec }}
"""
INSTANCE_VALUES = {
    "fullnameOverride": "flux",
    "instance": {
        "distribution": {"version": "2.x", "registry": "ghcr.io/fluxcd"},
        "components": ["source-controller", "kustomize-controller", "helm-controller", "notification-controller"],
        "cluster": {"type": "kubernetes", "domain": "cluster.local", "networkPolicy": True, "multitenant": False},
        "sync": {"kind": "GitRepository", "interval": "1m"},
    },
    "healthcheck": {"enabled": False},
}


def flux_operator(crds: Path) -> dict[str, str]:
    labels = {"app.kubernetes.io/name": "flux-operator", "app.kubernetes.io/instance": "{{ .Release.Name }}", "lab/chart": "flux-operator"}
    container = {
        "name": "manager",
        "image": f"ghcr.io/controlplaneio-fluxcd/flux-operator:v{VERSION}",
        "args": ["--log-level=info", "--log-encoding=json"],
        "env": [{"name": "RUNTIME_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
        "securityContext": RESTRICTED,
    }
    objects: list[Entry] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "flux-operator"}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "flux-operator"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "flux-operator", "namespace": "{{ .Release.Namespace }}"}],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "flux-operator", "labels": labels},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app.kubernetes.io/name": "flux-operator"}},
                "template": {
                    "metadata": {"labels": labels, "annotations": {"lab/values": "{{ .Values | toJson | sha256sum }}"}},
                    "spec": {"serviceAccountName": "flux-operator", "containers": [container]},
                },
            },
        },
    ]
    texts = [path.read_text().replace("{{", '{{ "{{" }}') for path in sorted(crds.glob("*.yaml"))]
    kept = [text.replace("  annotations:\n", "  annotations:\n    helm.sh/resource-policy: keep\n", 1) for text in texts]
    return {
        "Chart.yaml": json.dumps({"apiVersion": "v2", "name": "flux-operator", "version": VERSION, "appVersion": f"v{VERSION}"}),
        "values.yaml": "{}\n",
        "templates/operator.yaml": FAULT.replace("@ID@", "flux-operator")
        + RENDER
        + "".join(f"---\n{json.dumps(item)}\n" for item in objects),
        "templates/crds.yaml": "\n---\n".join(kept),
    }


def flux_instance() -> dict[str, str]:
    wait = json.dumps(hook("flux-instance", {"lab/waits-for": "flux-instance"}, "post-install,post-upgrade"))
    return {
        "Chart.yaml": json.dumps({"apiVersion": "v2", "name": "flux-instance", "version": VERSION, "appVersion": f"v{VERSION}"}),
        "values.yaml": json.dumps(INSTANCE_VALUES),
        "templates/instance.yaml": FAULT.replace("@ID@", "flux-instance") + RENDER + INSTANCE,
        "templates/healthcheck.yaml": "{{- if .Values.healthcheck.enabled }}\n" + wait + "\n{{- end }}\n",
    }
