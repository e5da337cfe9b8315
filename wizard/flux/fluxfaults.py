"""Causes that show in the conditions of HelmReleases, Kustomizations and sources alone (texts: bootstrap.md 4.6)."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.flux.conditions import assess
from wizard.flux.diagnosis import Case, Diagnosis, Object, Rule
from wizard.flux.fields import conditions, mapping, name_of, text
from wizard.flux.signs import SIGNS
from wizard.state import Phase
from wizard.text import clean


def of_source(case: Case) -> Diagnosis | None:
    if case.source is None:
        return None
    told = assess(case.source)
    if not (told.failing or told.phase is Phase.FAILED):
        return None
    where = f"{text(case.source.get('kind'))} {'/'.join(name_of(case.source))}"
    address = clean(text(mapping(case.source, "spec").get("url")), limit=200)
    return _by_text(_words(case.source, told.message), f"{where} ({address})" if address else where)


def of_release(case: Case) -> Diagnosis | None:
    if case.release is None:
        return None
    told = assess(case.release)
    if not (told.failing or told.phase is Phase.FAILED):
        return None
    found = _by_text(_words(case.release, told.message), "")
    last = next((e for e in _about(case, case.release) if e), "")
    return found or Diagnosis(
        f"the release fails: {told.reason}", "; ".join(filter(None, (told.message, last))), "the message says why; it is tried again"
    )


def of_kustomizations(case: Case) -> Diagnosis | None:
    for item in case.kustomizations:
        told = assess(item, case.revision)
        if told.failing or told.phase is Phase.FAILED:
            where = f"Kustomization {name_of(item)[1]}"
            found = _by_text(_words(item, told.message), where)
            return found or Diagnosis(f"{where} fails: {told.reason}", told.message, "the message says why; it is tried again")
    return None


def _by_text(said: str, where: str) -> Diagnosis | None:
    for sign in SIGNS:
        match = sign.pattern.search(said)
        if match:
            groups = [clean(g or "?", limit=300) for g in match.groups()]
            what = sign.what.format(*groups, *["?"] * 3)
            return Diagnosis(f"{where}: {what}" if where else what, clean(said, limit=500), sign.remedy)
    return Diagnosis(f"{where} is not ready", clean(said, limit=500), "the message says why; it is tried again") if where else None


def _words(obj: Object, message: str) -> str:
    """The message with the reasons beside it: some causes (AuthenticationFailed) are told by the reason alone."""
    reasons = [
        text(c.get("reason"))
        for n, c in conditions(obj).items()
        if n in ("Ready", "FetchFailed", "Stalled") and text(c.get("status")) != "Unknown"
    ]
    return f"{message} ({', '.join(dict.fromkeys(r for r in reasons if r))})"


def _about(case: Case, obj: Object) -> Iterator[str]:
    yield case.last_event(obj, "InstallFailed", "UpgradeFailed")


RULES: tuple[Rule, ...] = (of_source, of_release, of_kustomizations)
