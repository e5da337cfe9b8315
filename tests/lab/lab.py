"""What tests hold in their hands: one lab, its addresses, its knobs."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from tests.lab import lifecycle
from tests.lab.api import JSON, Api
from tests.lab.cache import Report
from tests.lab.fileserver import SWITCHBOARD
from tests.lab.knobs import Fault
from tests.lab.layout import CATALOG, Settings, directory_of, read_json
from tests.lab.lifecycle import LabError

__all__ = ["Lab", "LabError", "LabPart"]
GitMode = Literal["ok", "401", "slow", "down", "refuse"]
RegistryMode = Literal["ok", "401", "slow", "down"]


class LabPart:
    """etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok, registry, or a Flux controller that runs."""

    def __init__(self, lab: Lab, name: str) -> None:
        self._lab = lab
        self.name = name

    def kill(self) -> None:
        """SIGKILL, wanted: not counted as died, down until `start` (a Flux controller is restarted by its pod)."""
        self._lab._operate("part", name=self.name, action="kill")

    def crash(self) -> None:
        """SIGKILL out of the blue: `status` names the part as died."""
        self._lab._operate("part", name=self.name, action="crash")

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self._lab._operate("part", name=self.name, action="pause")

    def unpause(self) -> None:
        self._lab._operate("part", name=self.name, action="unpause")

    def start(self) -> None:
        """On the same port. Returns when the process runs; `Lab.wait_for_api` waits until it serves."""
        self._lab._operate("part", name=self.name, action="start")

    @property
    def pid(self) -> int:
        return int(self._lab.status()["parts"][self.name]["pid"])

    @property
    def log(self) -> Path:
        return self._lab.directory / "logs" / f"{self.name}.log"


class Lab:
    """A running lab. Make one with `Lab.up`, join one with `Lab.attach`."""

    def __init__(self, directory: Path) -> None:
        content = read_json(directory / "lab.json")
        if content is None:
            raise LabError(f"no lab runs in {directory}")
        ports: dict[str, int] = content["ports"]
        self.name: str = content["name"]
        self.directory = directory
        self.ports = ports
        self.kubeconfig = Path(content["kubeconfig"])
        self.context: str = content["context"]
        self.git_url = f"http://127.0.0.1:{ports['git']}/homelab.git"
        self.git_username: str = content["git_username"]
        self.git_password: str = content["git_password"]
        self.git_dir = directory / "git" / "homelab.git"
        self.registry = f"127.0.0.1:{ports['registry']}"
        self.http = f"http://127.0.0.1:{ports['http']}"
        self.terraform = Path(content["terraform"])
        self.terraform_config = Path(content["terraform_config"] or os.devnull)
        """For TF_CLI_CONFIG_FILE; the null device while the lab's providers cannot be built."""
        self.helm = Path(content["helm"])
        self.manifests: dict[str, str] = content["manifests"]
        """Genuine URL of a manifest source -> sha256 of what the lab serves for it at `<http>/<host>/<path>`."""
        self.audit_log = directory / "audit.log"
        self._api = Api(ports["api"], directory / "pki" / "ca.crt", content["token"])

    @classmethod
    def up(cls, name: str, *, nodes: int = 3, catalog: Path | None = None, report: Report = print, clock_skew: str = "0s") -> Lab:
        """Starts a lab, or joins the one that runs by this name. `catalog`: a folder like presets/charts."""
        directory = directory_of(name)
        lifecycle.up(directory, Settings(name, nodes, str(catalog or CATALOG), clock_skew=clock_skew), report)
        return cls(directory)

    @classmethod
    def attach(cls, name: str) -> Lab:
        return cls(directory_of(name))

    def down(self) -> None:
        """Ends every process of the lab and removes its folder."""
        lifecycle.down(self.directory)

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self.down()

    def status(self) -> dict[str, Any]:
        """Phase, parts (pid, state, log) and what died with its last lines."""
        return lifecycle.status(self.directory)

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """`base` (or PATH and HOME alone) and what leads programs to this lab."""
        start = dict(base) if base is not None else {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        path = os.pathsep.join([str(self.helm.parent), str(self.terraform.parent), start.get("PATH", os.defpath)])
        return start | {
            "KUBECONFIG": str(self.kubeconfig),
            "TF_CLI_CONFIG_FILE": str(self.terraform_config),
            "CHECKPOINT_DISABLE": "1",
            "PATH": path,
        }

    def api(self, method: str, path: str, body: Any = None, content_type: str = JSON) -> Any:
        """JSON against the API server as the operator; `tests.lab.api.ApiError` from status 400 on."""
        return self._api.call(method, path, body, content_type)

    def wait_for_api(self, patience: float = 60) -> None:
        lifecycle.wait_for(lambda: self._api.raw("GET", "/readyz")[0] == 200, patience, "the API server")

    def knob(self, chart: str, *, ready_after: float | None = None, fault: Fault | None = None) -> None:
        """Sets both, for pods that are and pods to come: without arguments the chart is as it was made."""
        self._operate("knob", chart=chart, ready_after=ready_after, fault=fault)

    def resources(self, *, after: float | None = None, kind: str | None = None, fault: Literal["never"] | None = None) -> None:
        """Custom resources (of `kind`, or all) turn Ready `after` seconds, or never until it is lifted."""
        self._operate("resources", after=after, kind=kind, fault=fault)

    def part(self, name: str) -> LabPart:
        return LabPart(self, name)

    def git_server(self, mode: GitMode = "ok", *, delay: float = 2.0) -> None:
        """`refuse` lets read and rejects pushes by a hook; `slow` waits `delay` seconds before each answer; `down` closes the port."""
        self._operate("git", mode=mode, delay=delay)

    def registry_server(self, mode: RegistryMode = "ok") -> None:
        """`slow`: it runs a tenth of each second."""
        self._operate("registry", mode=mode)

    def audit(self) -> Iterator[dict[str, Any]]:
        """Audit events so far, in the order in which the API server finished the requests."""
        if self.audit_log.exists():
            with self.audit_log.open(encoding="utf-8") as log:
                for line in log:
                    if line.endswith("\n"):
                        yield json.loads(line)

    def reset(self) -> None:
        """An empty cluster, an empty Git repository, an empty audit log, no knob turned; addresses and credentials stay."""
        self._operate("reset")

    def _operate(self, do: str, **arguments: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["http"], timeout=180)
        try:
            connection.request("POST", SWITCHBOARD, json.dumps({"do": do, **arguments}))
            answer = json.loads(connection.getresponse().read())
        except OSError as problem:
            raise LabError(f"the supervisor of lab {self.name} does not answer: {problem}") from problem
        finally:
            connection.close()
        if "error" in answer:
            raise LabError(f"{do}: {answer['error']}")
        return answer["result"]
