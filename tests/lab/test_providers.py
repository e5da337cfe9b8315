"""The stand-ins for the Terraform providers serve what the genuine ones serve: a part of it, nothing else.

`providers/schema.txt` is the schema of hashicorp/kubernetes 3.2.1 and hashicorp/helm 3.1.2 as `terraform providers schema -json`
printed it. A name, type or flag that is not in there would let a Terraform root pass here and fail at an operator's.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.lab.build import PROVIDERS, Programs, build

pytestmark = pytest.mark.lab

TABLE = Path(__file__).parent / "providers" / "schema.txt"
Schema = dict[str, str]

LEFT_OUT = {
    "kubernetes": {
        "config_context_auth_info",
        "config_context_cluster",
        "config_paths",
        "experiments",
        "experiments.manifest_resource",
        "ignore_annotations",
        "ignore_labels",
        "password",
        "proxy_url",
        "username",
    },
    "helm": {
        "burst_limit",
        "debug",
        "experiments",
        "experiments.manifest",
        "helm_driver",
        "kubernetes.config_context_auth_info",
        "kubernetes.config_context_cluster",
        "kubernetes.config_paths",
        "kubernetes.password",
        "kubernetes.proxy_url",
        "kubernetes.username",
        "plugins_path",
        "qps",
        "registries",
        "registries.password",
        "registries.url",
        "registries.username",
    },
    "kubernetes_namespace_v1": set(),
    "kubernetes_secret_v1": set(),
    "kubernetes_config_map_v1": set(),
    "helm_release": {"lint", "postrender", "postrender.args", "postrender.binary_path", "recreate_pods"},
}
"""Attributes of the genuine providers that the stand-ins do not know, per provider block and resource."""


def read_table(text: str) -> dict[str, Schema]:
    """The table by provider (its block) and resource: path of an attribute or block -> what it is."""
    tables: dict[str, Schema] = {}
    provider = ""
    current: Schema = {}
    parents: list[tuple[int, str]] = []
    for line in text.splitlines():
        if line.startswith("## "):
            provider = line.split("/")[1].split()[0]
        if not line or line.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        name, _, meaning = line.strip().removeprefix("+ ").partition(": ")
        if indent == 0:
            current = tables.setdefault(provider if name == "provider:" else name.removesuffix(":"), {})
            parents = []
            continue
        if name == "schema_version":
            continue
        while parents and parents[-1][0] >= indent:
            parents.pop()
        current[".".join([*(parent for _, parent in parents), name])] = meaning
        if meaning.startswith(("block", "nested")):
            parents.append((indent, name))
    return tables


def spelled(kind: Any) -> str:
    return kind if isinstance(kind, str) else f"{kind[0]}({spelled(kind[1])})"


def flagged(kind: str, attribute: dict[str, Any]) -> str:
    flags = [flag for flag in ("required", "optional", "computed", "sensitive", "write_only", "deprecated") if attribute.get(flag)]
    return f"{kind} [{' '.join(flags)}]"


def served(block: dict[str, Any], under: str = "") -> Schema:
    """A block of `terraform providers schema -json` in the words of the table."""
    found: Schema = {}
    for name, attribute in block.get("attributes", {}).items():
        nested = attribute.get("nested_type")
        found[under + name] = flagged(f"nested {nested['nesting_mode']}" if nested else spelled(attribute["type"]), attribute)
        found.update(served(nested, f"{under}{name}.") if nested else {})
    for name, inner in block.get("block_types", {}).items():
        found[under + name] = f"block {inner['nesting_mode']} min={inner.get('min_items', 0)} max={inner.get('max_items', 0)}"
        found.update(served(inner["block"], f"{under}{name}."))
    return found


@pytest.fixture(scope="module")
def programs() -> Programs:
    return build(lambda _: None)


@pytest.fixture(scope="module")
def schemas(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Schema]:
    root = tmp_path_factory.mktemp("root")
    sources = "\n".join(f'    {name} = {{ source = "hashicorp/{name}", version = "{version}" }}' for name, version in PROVIDERS.items())
    (root / "main.tf").write_text(f"terraform {{\n  required_providers {{\n{sources}\n  }}\n}}\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "TF_CLI_CONFIG_FILE": str(programs.terraform_config)}

    def terraform(*arguments: str) -> str:
        run = subprocess.run([str(programs.terraform), *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        return run.stdout

    terraform("init", "-input=false")
    found: dict[str, Schema] = {}
    for address, provider in json.loads(terraform("providers", "schema", "-json"))["provider_schemas"].items():
        found[address.rsplit("/", 1)[1]] = served(provider["provider"]["block"])
        found.update({name: served(resource["block"]) for name, resource in provider.get("resource_schemas", {}).items()})
        assert not provider.get("data_source_schemas"), address
    return found


@pytest.fixture(scope="module")
def table() -> dict[str, Schema]:
    return read_table(TABLE.read_text(encoding="utf-8"))


def test_serves_the_resources_of_the_table_and_no_other(schemas: dict[str, Schema], table: dict[str, Schema]) -> None:
    assert set(schemas) == set(table) == set(LEFT_OUT)


@pytest.mark.parametrize("name", sorted(LEFT_OUT))
def test_every_attribute_is_the_genuine_one(name: str, schemas: dict[str, Schema], table: dict[str, Schema]) -> None:
    strange = {path: meaning for path, meaning in schemas[name].items() if table[name].get(path) != meaning}
    assert not strange, f"served, but the genuine {name} has: { {path: table[name].get(path, 'nothing') for path in strange} }"


@pytest.mark.parametrize("name", sorted(LEFT_OUT))
def test_what_is_left_out_is_listed(name: str, schemas: dict[str, Schema], table: dict[str, Schema]) -> None:
    assert set(table[name]) - set(schemas[name]) == LEFT_OUT[name]


def test_the_table_is_read_whole(table: dict[str, Schema]) -> None:
    """A reader that dropped lines would let anything pass as left out."""
    assert table["kubernetes_secret_v1"]["metadata"] == "block list min=1 max=1"
    assert table["kubernetes_secret_v1"]["metadata.namespace"] == "string [optional]"
    assert table["kubernetes_secret_v1"]["timeouts.create"] == "string [optional]"
    assert table["helm"]["kubernetes.exec.command"] == "string [required]"
    assert table["helm_release"]["set_wo.value"] == "string [required write_only]"
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("  ") and "schema_version:" not in line]
    assert sum(len(schema) for schema in table.values()) == len(lines)
