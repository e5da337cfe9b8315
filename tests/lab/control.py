"""The control plane: what its programs are started with, and the files they read."""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.lab.build import Programs

CONTEXT = "lab"
USERS = {
    "operator": "lab-operator",
    "lab": "lab-supervisor",
    "controllers": "system:kube-controller-manager",
    "scheduler": "system:kube-scheduler",
    "kwok": "lab-kwok",
}
"""File name of a kubeconfig -> user name. All are cluster administrators; audit events tell them apart."""

_FLUX = [
    {"group": "helm.toolkit.fluxcd.io", "resources": ["helmreleases", "helmreleases/status"]},
    {"group": "kustomize.toolkit.fluxcd.io", "resources": ["kustomizations", "kustomizations/status"]},
]
AUDIT_POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [
        {"level": "None", "resources": [{"group": "", "resources": ["events"]}, {"group": "events.k8s.io", "resources": ["events"]}]},
        {"level": "None", "namespaces": ["kube-node-lease"]},
        {"level": "RequestResponse", "verbs": ["create", "update", "patch"], "resources": _FLUX},
        {"level": "Metadata", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        {"level": "None"},
    ],
}
ADMISSION: dict[str, Any] = {
    "apiVersion": "apiserver.config.k8s.io/v1",
    "kind": "AdmissionConfiguration",
    "plugins": [
        {
            "name": "PodSecurity",
            "configuration": {
                "apiVersion": "pod-security.admission.config.k8s.io/v1",
                "kind": "PodSecurityConfiguration",
                "defaults": {
                    "enforce": "baseline",
                    "enforce-version": "latest",
                    "audit": "restricted",
                    "audit-version": "latest",
                    "warn": "restricted",
                    "warn-version": "latest",
                },
                "exemptions": {"usernames": [], "runtimeClasses": [], "namespaces": ["kube-system"]},
            },
        }
    ],
}


def write_files(directory: Path, programs: Programs, ports: dict[str, int], clock_skew: str) -> dict[str, str]:
    """Certificates, tokens, kubeconfigs and policies below `directory`; returns the token of each user."""
    pki = directory / "pki"
    pki.mkdir()
    subprocess.run([str(programs.bin("kubelab")), "pki", str(pki), clock_skew], check=True, capture_output=True)
    tokens = {file: secrets.token_hex(16) for file in USERS}
    (directory / "tokens.csv").write_text("".join(f'{tokens[file]},{user},{user},"system:masters"\n' for file, user in USERS.items()))
    (directory / "audit-policy.yaml").write_text(json.dumps(AUDIT_POLICY))
    (directory / "admission.yaml").write_text(json.dumps(ADMISSION))
    for file in USERS:
        write_kubeconfig(directory, file, ports["api"], tokens[file])
    (directory / "kubeconfig.yaml").chmod(0o600)
    return tokens


def kubeconfig_path(directory: Path, file: str) -> Path:
    return directory / ("kubeconfig.yaml" if file == "operator" else f"kubeconfig-{file}.yaml")


def write_kubeconfig(directory: Path, file: str, port: int, token: str) -> Path:
    """The CA goes in as data: Terraform's kubernetes backend does not take insecure-skip-tls-verify."""
    import base64

    authority = base64.b64encode((directory / "pki" / "ca.crt").read_bytes()).decode()
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [{"name": CONTEXT, "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": authority}}],
        "users": [{"name": CONTEXT, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
    }
    path = kubeconfig_path(directory, file)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def commands(directory: Path, programs: Programs, ports: dict[str, int]) -> dict[str, list[str]]:
    """Command lines by part, in starting order."""
    kubelab = str(programs.bin("kubelab"))
    pki = directory / "pki"
    client, peer = (f"http://127.0.0.1:{ports[name]}" for name in ("etcd", "etcd-peer"))
    keys = [f"--tls-cert-file={pki}/server.crt", f"--tls-private-key-file={pki}/server.key"]
    return {
        "etcd": [
            kubelab,
            "etcd",
            "--name=lab",
            f"--data-dir={directory}/etcd",
            "--unsafe-no-fsync",
            "--log-level=warn",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=lab={peer}",
        ],
        "kube-apiserver": [
            kubelab,
            "kube-apiserver",
            f"--etcd-servers={client}",
            "--bind-address=127.0.0.1",
            f"--secure-port={ports['api']}",
            *keys,
            f"--cert-dir={directory}/pki",
            "--endpoint-reconciler-type=none",
            f"--token-auth-file={directory}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--api-audiences=https://kubernetes.default.svc",
            f"--service-account-key-file={pki}/service-accounts.key",
            f"--service-account-signing-key-file={pki}/service-accounts.key",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--allow-privileged",
            "--kubelet-preferred-address-types=InternalIP",
            "--profiling=false",
            f"--admission-control-config-file={directory}/admission.yaml",
            f"--audit-policy-file={directory}/audit-policy.yaml",
            f"--audit-log-path={directory}/audit.log",
            "--audit-log-maxsize=100000",
            "--shutdown-delay-duration=0s",
        ],
        "kube-controller-manager": [
            kubelab,
            "kube-controller-manager",
            f"--kubeconfig={kubeconfig_path(directory, 'controllers')}",
            f"--service-account-private-key-file={pki}/service-accounts.key",
            f"--root-ca-file={pki}/ca.crt",
            "--leader-elect=false",
            "--secure-port=0",
            "--controllers=*,-persistentvolume-attach-detach-controller",
            "--pvclaimbinder-sync-period=2s",
            "--concurrent-deployment-syncs=10",
            "--concurrent-replicaset-syncs=10",
            "--kube-api-qps=200",
            "--kube-api-burst=300",
        ],
        "kube-scheduler": [
            kubelab,
            "kube-scheduler",
            f"--kubeconfig={kubeconfig_path(directory, 'scheduler')}",
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=200",
            "--kube-api-burst=300",
        ],
        "kwok": [
            str(programs.bin("kwok")),
            f"--kubeconfig={kubeconfig_path(directory, 'kwok')}",
            "--manage-all-nodes",
            f"--config={directory}/kwok.yaml",
            "--node-ip=127.0.0.1",
            f"--node-port={ports['kubelet']}",
            f"--server-address=127.0.0.1:{ports['kubelet']}",
            *keys,
            "--node-lease-duration-seconds=40",
            "--enable-crds=ClusterLogs,ClusterPortForward",
        ],
        "registry": [str(programs.bin("registry")), "serve", str(directory / "registry.yaml")],
    }


def write_kwok_config(directory: Path, programs: Programs) -> None:
    stages = sorted((programs.control / "stages").glob("*.yaml"))
    (directory / "kwok.yaml").write_text("\n---\n".join(path.read_text() for path in stages))


def write_registry_config(directory: Path, port: int, *, locked: bool = False) -> None:
    """`locked`: every request is answered 401, no account is let in."""
    content: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(directory / "registry")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    if locked:
        (directory / "nobody.htpasswd").write_text("nobody:$2y$05$000000000000000000000u0000000000000000000000000000000\n")
        content["auth"] = {"htpasswd": {"realm": "lab", "path": str(directory / "nobody.htpasswd")}}
    (directory / "registry.yaml").write_text(yaml.safe_dump(content))
