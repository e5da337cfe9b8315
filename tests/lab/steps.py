"""What the lab's own tests do over and over: wait, install a stand-in chart, bring up Flux by hand."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.lab import Lab, fluxcharts
from tests.lab.api import ApiError

T = TypeVar("T")
Object = dict[str, Any]


def until(what: str, test: Callable[[], T | None], patience: float = 40) -> T:
    """The first truthy answer of `test`; an error that names `what` after `patience` seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            found = test()
        except (ApiError, OSError):
            found = None
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {patience:.0f} s: {what}")


def run(lab: Lab, *argv: str, cwd: Path | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(argv, env=lab.environment(), cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def namespace(lab: Lab, name: str, level: str = "") -> str:
    labels = {"pod-security.kubernetes.io/enforce": level} if level else {}
    lab.api("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    until("the namespace's service account", lambda: bool(lab.api("GET", account)))
    return name


def pods(lab: Lab, where: str) -> list[Object]:
    items: list[Object] = lab.api("GET", f"/api/v1/namespaces/{where}/pods")["items"]
    return items


def waiting_reasons(lab: Lab, where: str) -> set[str]:
    return {
        item["state"].get("waiting", {}).get("reason", "")
        for pod in pods(lab, where)
        for item in pod["status"].get("containerStatuses", [])
    }


def is_ready(item: Object) -> bool:
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in (item.get("status") or {}).get("conditions", []))


def all_ready(lab: Lab, where: str) -> bool:
    found = pods(lab, where)
    return bool(found) and all(is_ready(pod) for pod in found)


def events(lab: Lab, where: str) -> set[str]:
    return {item["reason"] for item in lab.api("GET", f"/api/v1/namespaces/{where}/events")["items"]}


def install(lab: Lab, chart: str, where: str, *more: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """A stand-in chart from the HTTP repository, without waiting for its pods."""
    return run(lab, str(lab.helm), "install", chart, chart, "--repo", f"{lab.http}/charts", "--namespace", where, *more, check=check)


def push(lab: Lab, folder: Path, files: dict[str, str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """One commit with `files` on main of the lab's repository."""
    url = lab.git_url.replace("http://", f"http://{lab.git_username}:{lab.git_password}@")
    if not folder.exists():
        run(lab, "git", "clone", "--quiet", url, str(folder))
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    run(lab, "git", "add", ".", cwd=folder)
    run(lab, "git", "-c", "user.name=lab", "-c", "user.email=lab@lab.invalid", "commit", "--quiet", "--message", "tree", cwd=folder)
    return run(lab, "git", "push", "--quiet", url, "HEAD:refs/heads/main", cwd=folder, check=check)


def bring_up_flux(lab: Lab) -> None:
    """flux-operator from the registry, flux-instance from the HTTP repository: as an operator would by hand."""
    namespace(lab, "flux-system")
    secret = {"metadata": {"name": "flux-system"}, "stringData": {"username": lab.git_username, "password": lab.git_password}}
    lab.api("POST", "/api/v1/namespaces/flux-system/secrets", secret)
    operator = f"oci://{lab.registry}/{fluxcharts.SOURCE}/flux-operator"
    into = ("--namespace", "flux-system")
    run(lab, str(lab.helm), "install", "flux-operator", operator, "--plain-http", "--version", fluxcharts.VERSION, "--wait", *into)
    sync = {"url": lab.git_url, "ref": "refs/heads/main", "path": "clusters/lab", "pullSecret": "flux-system", "interval": "1m"}
    values = [f"instance.sync.{key}={value}" for key, value in sync.items()] + [
        "instance.distribution.version=2.9.x",
        "instance.cluster.size=small",
    ]
    install(lab, "flux-instance", "flux-system", *(part for value in values for part in ("--set", value)))
