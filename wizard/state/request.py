"""What a view asks an engine process to do: written into the run's folder before the engine starts, so that resume finds it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "request.json"


@dataclass(frozen=True, slots=True)
class Request:
    """One run. The plan itself lies beside it as `plan.yaml`; nothing here is secret."""

    name: str
    journey: str = "install"
    mode: str = "apply"
    source: str = ""
    """The file the operator named, and its SHA-256: a change after approval is noticed."""
    source_digest: str = ""
    kubeconfig: str = ""
    context: str = ""
    resume: bool = False
    from_environment: tuple[tuple[str, str], ...] = ()
    """(secret, variable): secrets the view reads from its environment."""

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=2, ensure_ascii=False).encode() + b"\n"


def load_request(run: Path) -> Request:
    """The request in a run's folder. Raises OSError, ValueError or TypeError when there is none that can be read."""
    data = json.loads((run / FILE).read_bytes())
    data["from_environment"] = tuple((str(a), str(b)) for a, b in data.get("from_environment", ()))
    return Request(**data)
