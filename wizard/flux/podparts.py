"""Reading pods for a diagnosis."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.flux.diagnosis import Case, Diagnosis, Object
from wizard.flux.fields import conditions, mapping, name_of, sequence, text
from wizard.text import clean


def waiting_containers(case: Case) -> Iterator[tuple[Object, Object, Object]]:
    for pod in case.pods:
        for status in statuses(pod):
            waiting = mapping(status, "state", "waiting")
            if waiting:
                yield pod, status, waiting


def statuses(pod: Object) -> list[Object]:
    found = [*sequence(pod, "status", "initContainerStatuses"), *sequence(pod, "status", "containerStatuses")]
    return [s for s in found if isinstance(s, dict)]


def is_ready(pod: Object) -> bool:
    return text(conditions(pod).get("Ready", {}).get("status")) == "True" or text(mapping(pod, "status").get("phase")) == "Succeeded"


def mounts(pod: Object, claim: str) -> bool:
    return any(mapping(v, "persistentVolumeClaim").get("claimName") == claim for v in sequence(pod, "spec", "volumes"))


def words(waiting: Object) -> str:
    return clean(f"{text(waiting.get('reason'))}: {text(waiting.get('message'))}".rstrip(": "), limit=400)


def at_pod(pod: Object | None, what: str, evidence: str, remedy: str) -> Diagnosis:
    return Diagnosis(what, evidence, remedy, clean("/".join(name_of(pod)), limit=320) if pod is not None else None)
