"""Which secrets a plan needs, and which Kubernetes Secrets they end in. Names and shapes only: no value is known here.

It lies here, below both `gitops` (which writes the Secrets' names into Git) and `terraform` (which makes them), because both must
mean the same and neither may import the other.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wizard.errors import InputError
from wizard.plan import secret_needs as plan_secrets
from wizard.secrets import Need

if TYPE_CHECKING:
    from wizard.catalog import Catalog, Chart, SecretNeed
    from wizard.order import Order
    from wizard.plan import Plan

FLUX_NAMESPACE = "flux-system"
GIT_SECRET = "flux-system"  # noqa: S105 - the name of a Secret
"""Secret in flux-system with what Flux reads the repository with."""

_SETTING = re.compile(r"\{settings\.([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One key of a Kubernetes Secret: the value of `need`, put into `template` (its settings are filled in) at `{value}`."""

    need: str
    key: str
    template: str | None = None


@dataclass(frozen=True, slots=True)
class KubernetesSecret:
    """A Secret as Terraform will make it. `fixed` are keys that are no secret (a user name)."""

    namespace: str
    name: str
    type: str = "Opaque"
    entries: tuple[SecretKey, ...] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """`namespace/name`, by which Terraform knows it."""
        return f"{self.namespace}/{self.name}"

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of its keys, sorted."""
        return tuple(sorted({*self.fixed, *(entry.key for entry in self.entries)}))

    def revision(self, revisions: Mapping[str, int]) -> int:
        """What makes Terraform write it again when it changes: millions count the values entered so far (the sum of the revisions of
        its entries, 1 for one not seen yet), the last six digits stand for its shape (keys, templates, fixed keys). No value
        enters into it: it lies in Git and in the state."""
        entered = sum(max(1, revisions.get(entry.need, 1)) for entry in self.entries)
        shape = json.dumps([sorted((e.need, e.key, e.template or "") for e in self.entries), sorted(self.fixed.items())], ensure_ascii=True)
        return entered * 1_000_000 + int.from_bytes(hashlib.sha256(shape.encode()).digest()[:6], "big") % 1_000_000


def secret_needs(plan: Plan, catalog: Catalog, order: Order) -> tuple[Need, ...]:
    """Every value that is needed, each name once: the repository's credential first, then by chart in the order of the plan."""
    found: dict[str, Need] = {}
    for need in _git_needs(plan):
        found.setdefault(need.name, need)
    for one in plan_secrets(plan, catalog, order.charts):
        how = (one.need.generate.kind, one.need.generate.length) if one.need.generate else None
        known = found.get(one.name)
        if known is None or (known.generate is None and how is not None):
            found[one.name] = Need(one.name, f"{one.chart.title}: {one.need.purpose}", how)
    return tuple(found.values())


def kubernetes_secrets(plan: Plan, catalog: Catalog, order: Order) -> tuple[KubernetesSecret, ...]:
    """The Kubernetes Secrets the chosen charts and Flux read, sorted by namespace and name.

    InputError when two needs claim the same key, or when a template names a setting the plan does not have.
    """
    made: dict[str, KubernetesSecret] = {}
    for secret in _git_secrets(plan):
        made[secret.id] = secret
    for one in plan_secrets(plan, catalog, order.charts):
        secret = _secret(plan, one.chart, one.name, one.need)
        made[secret.id] = _joined(made[secret.id], secret, one.chart) if secret.id in made else secret
    return tuple(made[key] for key in sorted(made))


def _secret(plan: Plan, chart: Chart, name: str, need: SecretNeed) -> KubernetesSecret:
    template = need.template
    if template is not None:
        template = _SETTING.sub(lambda found: _setting(plan, chart, name, found[1]), template)
        if template.count("{value}") != 1:
            raise InputError(f"secret {name} of chart {chart.id}: its template must hold {{value}} exactly once")
    entry = SecretKey(name, need.key, template)
    return KubernetesSecret(need.namespace or chart.namespace, need.secret, need.type, (entry,), dict(need.fixed))


def _setting(plan: Plan, chart: Chart, name: str, setting: str) -> str:
    if setting not in plan.settings:
        raise InputError(
            f"secret {name} of chart {chart.id} needs the setting {setting!r}", remedy=f"add `{setting}` below `settings:` in the plan"
        )
    return str(plan.settings[setting])


def _joined(one: KubernetesSecret, other: KubernetesSecret, chart: Chart) -> KubernetesSecret:
    """Both in one Secret; the same value at the same key may be named twice."""
    where = f"chart {chart.id}: Secret {one.id}"
    if one.type != other.type:
        raise InputError(f"{where} cannot be both {one.type} and {other.type}")
    entries = {entry.key: entry for entry in one.entries}
    fixed = dict(one.fixed)
    for entry in other.entries:
        if entries.setdefault(entry.key, entry) != entry or entry.key in fixed:
            raise InputError(f"{where}: the key {entry.key} is claimed by {entries[entry.key].need} and {entry.need}")
    for key, text in other.fixed.items():
        if fixed.setdefault(key, text) != text or key in entries:
            raise InputError(f"{where}: the key {key} is claimed twice")
    return KubernetesSecret(one.namespace, one.name, one.type, tuple(entries.values()), fixed)


def _git_needs(plan: Plan) -> tuple[Need, ...]:
    """What reads the repository. A second credential `<name>-read`, if the plan has it, is Flux's; tierup pushes with the first."""
    credential = plan.git.credential
    if not credential:
        return ()
    if is_ssh(plan.git.url):
        needs = [
            Need(credential, "SSH key that may push to the repository", lines=True),
            Need(f"{credential}-known-hosts", "known_hosts lines of the Git server", lines=True),
        ]
        read = Need(f"{credential}-read", "SSH deploy key with which Flux reads the repository", lines=True)
    else:
        needs = [Need(credential, "password or token that may push to the repository")]
        read = Need(f"{credential}-read", "read-only token with which Flux reads the repository")
    return (*needs, read) if read.name in plan.secrets else tuple(needs)


def _git_secrets(plan: Plan) -> tuple[KubernetesSecret, ...]:
    credential = plan.git.credential
    if not credential:
        return ()
    reading = f"{credential}-read" if f"{credential}-read" in plan.secrets else credential
    if is_ssh(plan.git.url):
        entries = (SecretKey(reading, "identity"), SecretKey(f"{credential}-known-hosts", "known_hosts"))
        return (KubernetesSecret(FLUX_NAMESPACE, GIT_SECRET, entries=entries),)
    entries_https = (SecretKey(reading, "password"),)
    return (KubernetesSecret(FLUX_NAMESPACE, GIT_SECRET, entries=entries_https, fixed={"username": git_username(plan)}),)


def is_ssh(url: str) -> bool:
    """Whether Git speaks SSH at this address (`ssh://…` or `git@host:path`)."""
    return url.startswith("ssh://") or ("://" not in url and "@" in url.partition(":")[0])


def git_username(plan: Plan) -> str:
    """The user name beside the token: the setting `gitUsername`, else `git`, which GitHub, GitLab and Forgejo accept with a token.
    Not from the address: one with a user in it is refused."""
    return str(plan.settings.get("gitUsername") or "git")
