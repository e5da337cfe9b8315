"""The engine process: `python -P -m wizard.journeys RUN`."""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path

from wizard.errors import TierupError
from wizard.run.engine import Engine
from wizard.run.engine import Places as RunPlaces
from wizard.state.places import places
from wizard.state.request import load_request


def main(run: Path) -> int:
    """Run the journey that the request in `run` names; returns the exit code."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _hide_memory()
    request = load_request(run)
    where = places(request.name)
    engine = Engine(request.name, RunPlaces(run=run, lock=where.lock, socket=where.socket), mode=request.mode, resume=request.resume)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: engine.ask_cancel())

    def journey(live: object) -> object:
        from wizard.journeys.install import Install  # 0.4 s of imports; the socket listens before them

        return Install(run, request, where, engine.live)

    try:
        return engine.run(journey)
    except TierupError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _hide_memory() -> None:
    """Core dumps and /proc/PID/{environ,mem} of this process for root only: it holds secret values (prctl PR_SET_DUMPABLE)."""
    import ctypes

    PR_SET_DUMPABLE = 4
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
