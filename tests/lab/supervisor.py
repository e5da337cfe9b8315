"""The one process that owns a lab: starts its parts, serves its requests, names a part that died, ends everything on SIGTERM."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import secrets
import signal
import sys
import threading
import time
from pathlib import Path

from tests.lab import charts, control
from tests.lab.api import Api
from tests.lab.build import build
from tests.lab.cluster import Cluster
from tests.lab.fileserver import FileServer
from tests.lab.gitserver import GitServer, empty_repository
from tests.lab.knobs import Knobs
from tests.lab.layout import MARKER, Settings, write_json
from tests.lab.parts import MainThread, Part
from tests.lab.ports import free_ports
from tests.lab.processes import identify
from tests.lab.programs import NAMES
from tests.lab.programs import Programs as FluxPrograms
from tests.lab.switchboard import Switchboard

PORTS = ["api", "etcd", "etcd-peer", "kubelet", "registry", "git", "http", "artifacts", *(f"{name}-health" for name in NAMES)]


class Supervisor:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.settings = Settings.load(directory)
        self.main = MainThread()
        self.parts: dict[str, Part] = {}
        self.phase = "starting"
        self.problem = ""
        self.ending = threading.Event()
        self._log = (directory / "progress.log").open("a", buffering=1)
        self._status: object = None
        self._cluster: Cluster | None = None
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "LANG": "C.UTF-8", MARKER: str(directory)}

    def report(self, text: str) -> None:
        self._log.write(text + "\n")

    def run(self) -> int:
        signal.signal(signal.SIGTERM, lambda *_: self.ending.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        threading.Thread(target=self._bring_up, name="up", daemon=True).start()
        while not self.ending.is_set():
            self.main.serve(0.1)
            self._write_status()
        self._end()
        return 0

    def _bring_up(self) -> None:
        try:
            self._start()
        except Exception as problem:  # told to whoever waits for the lab
            self.problem = f"{type(problem).__name__}: {problem}"
            self.phase = "failed"
            raise

    def _start(self) -> None:
        programs = build(self.report)
        ports = free_ports(PORTS)
        for folder in ("logs", "pods", "programs", "http", "git", "registry"):
            (self.directory / folder).mkdir()
        tokens = control.write_files(self.directory, programs, ports, self.settings.clock_skew)
        control.write_kwok_config(self.directory, programs)
        control.write_registry_config(self.directory, ports["registry"])
        for name, argv in control.commands(self.directory, programs, ports).items():
            self.parts[name] = Part(name, argv, self.directory / "logs" / f"{name}.log", self.main, self.environment)
        self.parts["registry"].start()
        self.parts["etcd"].start()
        self.parts["kube-apiserver"].start()  # busy for seconds: charts are packed meanwhile
        password = secrets.token_hex(12)
        empty_repository(self.directory / "git" / "homelab.git")
        git = GitServer(self.directory / "git", ports["git"], "lab", password, self.environment)
        shelf = charts.Shelf(Path(self.settings.catalog), programs, self.directory / "http", ports)
        knobs = Knobs(self.directory / "knobs.json", shelf.ready_after())

        def flux(api: Api) -> FluxPrograms:
            return FluxPrograms(self.directory, programs.control, ports, api, self.main, self.environment)

        cluster = Cluster(self.directory, self.settings, programs, ports, self.parts, knobs, flux, tokens["lab"], self.report)
        self._cluster = cluster
        self.switchboard = Switchboard(self.directory, cluster, self.parts, git, shelf, ports)
        FileServer(self.directory / "http", ports["http"], self.switchboard.operate)
        began = time.monotonic()
        count = shelf.publish()
        self.report(f"{count} charts packed and pushed ({time.monotonic() - began:.1f} s)")
        cluster.start()
        for crds in shelf.runtime_crds():
            self.switchboard.watch_runtime(crds)
        write_json(
            self.directory / "lab.json",
            {
                "name": self.settings.name,
                "kubeconfig": str(self.directory / "kubeconfig.yaml"),
                "context": control.CONTEXT,
                "token": tokens["operator"],
                "ports": ports,
                "git_username": "lab",
                "git_password": password,
                "terraform": str(programs.terraform),
                "terraform_config": str(programs.terraform_config or ""),
                "helm": str(programs.bin("helm")),
                "manifests": shelf.manifests,
            },
        )
        gc.freeze()
        self.phase = "ready"

    def _write_status(self) -> None:
        every = [*self.parts.values(), *(self._cluster.flux.parts() if self._cluster else [])]
        died = [part for part in self.parts.values() if part.died]
        status = {
            "phase": self.phase,
            "problem": self.problem,
            "parts": {part.name: part.record() for part in every},
            "died": {part.name: {"code": part._process.poll() if part._process else None, "last": part.last_lines()} for part in died},
        }
        if status != self._status:
            self._status = status
            write_json(self.directory / "status.json", status)

    def _end(self) -> None:
        for part in [*self.parts.values(), *(self._cluster.flux.parts() if self._cluster else [])]:
            with contextlib.suppress(OSError):
                part.stop()


def main() -> int:
    directory = Path(sys.argv[1])
    ctypes.CDLL(None).prctl(15, b"tierup-lab", 0, 0, 0)  # PR_SET_NAME: told apart in process lists
    who = identify(os.getpid())
    assert who is not None
    write_json(directory / "supervisor.json", {"pid": who.pid, "started": who.started})
    return Supervisor(directory).run()


if __name__ == "__main__":
    # The parts die with their supervisor (PR_SET_PDEATHSIG), so leaving without joining threads is safe, and immediate.
    code = main()
    os._exit(code)
