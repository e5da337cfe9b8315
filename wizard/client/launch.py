"""Starting an engine process: its own session, its own log, nothing of this process's environment but what it needs."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from wizard import process
from wizard.client.connection import Connection, EngineGone, wait_for
from wizard.clock import SYSTEM
from wizard.errors import Locked, TierupError
from wizard.files import private_directory, write_atomic
from wizard.state.places import Places
from wizard.state.request import FILE, Request, load_request

NEEDED = ("TIERUP_HOME", "KUBECONFIG", "TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "SSH_AUTH_SOCK")
"""Variables an engine gets beside the minimal ones; none of them holds a secret."""

START = 30.0
"""Seconds an engine may take until it listens; 0.3 s is usual, a cold disk takes a few."""


def launch(places: Places, request: Request, plan: str) -> Connection:
    """Write the request and the plan into a new run's folder and start its engine."""
    private_directory(places.home)
    private_directory(places.runs)
    run = private_directory(places.runs / (SYSTEM.now().strftime("%Y%m%dT%H%M%S.%fZ") + "-" + secrets.token_hex(2)))
    write_atomic(run / "plan.yaml", plan)
    write_atomic(run / FILE, request.to_json())
    try:
        return _start(places, run)
    except Locked:
        shutil.rmtree(run)  # it never was: the run that goes on stays the last one
        raise


def resume(places: Places, run: Path) -> Connection:
    """Start an engine that goes on with an unfinished run."""
    write_atomic(run / FILE, replace(load_request(run), resume=True, mode="apply").to_json())
    return _start(places, run)


def _start(places: Places, run: Path) -> Connection:
    argv = [sys.executable, "-P", "-m", "wizard.journeys", os.fspath(run)]
    engine = process.start(argv, cwd=run, env=process.environment(keep=NEEDED), log=run / "engine.log")
    try:
        view = wait_for(places.socket, START, lambda: engine.poll() is None)
        if next(view.states()).run == run.name:
            return view
        view.close()  # another engine answers: ours finds the lock taken and ends
        engine.wait(START)
        raise EngineGone("refused")
    except (EngineGone, StopIteration):
        code = engine.poll()
        said = (run / "engine.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if code == Locked.exit_code:
            raise Locked(said[0] if said else "another tierup works on this cluster", remedy="watch it with `tierup attach`") from None
        raise TierupError(
            f"the engine did not start (exit code {code}): {said[-1] if said else 'it said nothing'}",
            remedy=f"its log is {run / 'engine.log'}",
        ) from None
