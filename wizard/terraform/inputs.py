"""What each root is given: variables in Git, variables of this machine, and the values of Secrets on a pipe.

The only place of this room that reveals a Secret.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NoReturn

from wizard.errors import InputError, Problem
from wizard.order.needs import FLUX_NAMESPACE, GIT_SECRET, KubernetesSecret, kubernetes_secrets
from wizard.terraform.releases import releases, unmanaged

if TYPE_CHECKING:
    from wizard.catalog import Catalog
    from wizard.order import Order
    from wizard.plan import Plan
    from wizard.secrets import Secret
    from wizard.state import ClusterFacts

ROOTS = ("cluster", "secrets", "flux")
"""In the order in which they are applied."""

SETTINGS = "cluster-settings"
"""ConfigMap in flux-system that Flux substitutes from."""

TFVARS = "terraform.tfvars.json"
_THERE = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_IGNORED = ".terraform/\n*.tfstate*\n*.tfplan\n*.auto.tfvars.json\nchild.json\ncrash.log\ncrash.*.log\n"


def tfvars(root: str, plan: Plan, catalog: Catalog, order: Order, secret_revisions: Mapping[str, int]) -> dict[str, Any]:
    """The variables of a root that lie in Git. The same plan and revisions give the same variables whatever the cluster holds,
    so that a second run changes nothing."""
    if root == "cluster":
        return releases(plan, catalog, order)
    if root == "flux":
        return _flux(plan)
    made = kubernetes_secrets(plan, catalog, order)
    return {
        "cluster": plan.name,
        "namespaces": list(namespaces(made)),
        "secrets": {
            secret.id: {
                "namespace": secret.namespace,
                "name": secret.name,
                "type": secret.type,
                "keys": list(secret.keys),
                "revision": secret.revision(secret_revisions),
            }
            for secret in made
        },
        "config_maps": {
            f"{FLUX_NAMESPACE}/{SETTINGS}": {
                "namespace": FLUX_NAMESPACE,
                "name": SETTINGS,
                "data": {name: str(plan.settings[name]) for name in sorted(plan.settings)},
            }
        },
    }


def namespaces(secrets: Iterable[KubernetesSecret]) -> tuple[str, ...]:
    """The namespaces Terraform makes: those of the Secrets and Flux's own; never one that every cluster has."""
    return tuple(sorted(({secret.namespace for secret in secrets} | {FLUX_NAMESPACE}) - _THERE))


def machine(root: str, plan: Plan, catalog: Catalog, order: Order, facts: ClusterFacts) -> dict[str, Any]:
    """Variables that describe what was found and so must not lie in Git. They matter for the first apply alone."""
    if root == "secrets":
        wanted = namespaces(kubernetes_secrets(plan, catalog, order))
        return {"existing_namespaces": sorted(facts.namespaces.intersection(wanted))}
    if root == "cluster":
        return {"take_ownership": list(unmanaged(plan, catalog, order, facts))}
    return {}


def tree(plan: Plan, catalog: Catalog, order: Order, secret_revisions: Mapping[str, int]) -> dict[str, bytes]:
    """The Terraform part of the homelab repository: path -> bytes, deterministic."""
    folder = f"clusters/{plan.name}/terraform"
    found = {f"{folder}/.gitignore": _IGNORED.encode()}
    for root in ROOTS:
        for name, data in shipped(root).items():
            found[f"{folder}/{root}/{name}"] = data
        variables = tfvars(root, plan, catalog, order, secret_revisions)
        found[f"{folder}/{root}/{TFVARS}"] = (json.dumps(variables, indent=2, ensure_ascii=False) + "\n").encode()
    return dict(sorted(found.items()))


def root_files(tree: Mapping[str, bytes], cluster: str, root: str) -> dict[str, bytes]:
    """The files of one root out of a repository's tree, by their bare names: what Terraform.stage takes. They come from the
    repository and not from `tree()`, since an operator may have edited them there."""
    folder = f"clusters/{cluster}/terraform/{root}/"
    return {path[len(folder) :]: data for path, data in tree.items() if path.startswith(folder) and "/" not in path[len(folder) :]}


def shipped(root: str) -> dict[str, bytes]:
    """The static files of a root as tierup ships them."""
    folder = files("wizard.terraform").joinpath("roots", root)
    return {item.name: item.read_bytes() for item in sorted(folder.iterdir(), key=lambda i: i.name) if item.name.endswith(".tf")}


def _flux(plan: Plan) -> dict[str, Any]:
    variables: dict[str, Any] = {
        "git_url": plan.git.url,
        "git_branch": plan.git.branch,
        "git_path": f"clusters/{plan.name}",
        "git_secret": GIT_SECRET if plan.git.credential else "",
    }
    if plan.registry.http:
        variables["repository"] = f"{plan.registry.http.rstrip('/')}/charts"
    return variables


class SecretValues:
    """The values for one apply. Cannot be printed or pickled; turned into text only on its way into the pipe."""

    __slots__ = ("_secrets", "_values", "supplied")

    def __init__(self, secrets: Iterable[KubernetesSecret], values: Mapping[str, Secret]) -> None:
        """`values` by the names of the needs. A Kubernetes Secret that lacks one of its values is left out as a whole: Terraform
        replaces all keys at once."""
        self._values = dict(values)
        self._secrets = tuple(s for s in secrets if all(entry.need in self._values for entry in s.entries))
        self.supplied = frozenset(secret.id for secret in self._secrets)
        """`namespace/name` of those that can be written."""

    def pipe(self) -> bytes:
        """The var file. InputError names values that Terraform would change (it normalises Unicode to form C)."""
        problems: list[Problem] = []
        data = {secret.id: self._data(secret, problems) for secret in self._secrets}
        if problems:
            raise InputError(problems)
        # `$` and `%` begin templates in HCL: in JSON they may be written as escapes, and then none can begin.
        text = json.dumps(data, ensure_ascii=True).replace("$", "\\u0024").replace("%", "\\u0025")
        return f"secret_data_json = {json.dumps(text)}\n".encode("ascii")

    def _data(self, secret: KubernetesSecret, problems: list[Problem]) -> dict[str, str]:
        data = dict(secret.fixed)
        for entry in secret.entries:
            value = self._values[entry.need].reveal()
            wrong = _unfit(value)
            if wrong:
                problems.append(
                    Problem(f"the value of secret {entry.need} {wrong}", None, "Give the value in another form, or another value.")
                )
            data[entry.key] = entry.template.replace("{value}", value) if entry.template is not None else value
        return data

    def __repr__(self) -> str:
        return f"SecretValues({len(self._secrets)} Secrets)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("values of Secrets are never written down")


def _unfit(value: str) -> str:
    """Why Terraform would not carry this text unchanged, empty when it would."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode"
    return "" if unicodedata.is_normalized("NFC", value) else "is not in Unicode's normal form C: Terraform would change it"
