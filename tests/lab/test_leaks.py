"""No secret is where it does not belong: a whole installation with canaries for values, and everything it left behind searched.

Where a value may be: `vault.age` (encrypted), the Kubernetes Secrets it is for, Helm's own release records of charts that take a
value by `valuesFrom` (Helm keeps the values it was given), and what a chart's own objects do with it in the cluster.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.lab import Lab
from tests.lab.aftermath import items, values
from tests.lab.captured import Captured
from tests.lab.driver import TOKENS, Tierup, until
from wizard.gitops.leaks import Hit, scan, scan_directory, scan_repository
from wizard.secrets import Secret

pytestmark = pytest.mark.lab

GENERATED = {"authentik-database", "authentik-secret-key", "authentik-admin", "immich-database", "vaultwarden-admin", "minecraft-rcon"}
VALUES_FROM = {"csi-s3": {"s3-access-key", "s3-secret-key"}}
"""Charts that take a value by `valuesFrom`, and which: Helm's release record has it."""


@dataclass(frozen=True, slots=True)
class Installed:
    """One installation of the preset homelab, ended well."""

    lab: Lab
    operator: Tierup
    captured: Captured
    engine: Mapping[str, bytes]
    """Arguments and environment of the engine process, as root sees them; empty for anybody else: it hides them."""
    output: Path
    secrets: Mapping[str, Secret]

    @property
    def runs(self) -> Path:
        return self.operator.state / "runs"

    @property
    def canary(self) -> str:
        """One of the values, for what is planted."""
        return TOKENS["TIERUP_TRUENAS_API_KEY"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("leaks")
    (folder / "home").mkdir()
    with Lab.up(f"leaks-{os.getpid()}") as lab:
        captured = Captured.of(("terraform", "git"), folder, lab.environment()["PATH"])
        path = f"{captured.programs}{os.pathsep}{lab.environment()['PATH']}"
        operator = Tierup(lab, folder / "home", extra={"PATH": path})
        command = operator.start("apply", operator.preset, *operator.plan_options(), "--yes")
        engine = until(lambda: operator.engine() or command.poll(), 60)
        seen = {}
        if os.geteuid() == 0:
            seen = {name: Path(f"/proc/{engine}/{name}").read_bytes() for name in ("cmdline", "environ")}
        said, _ = command.communicate(timeout=400)
        assert command.returncode == 0, said
        output = folder / "output"
        output.mkdir()
        (output / "apply").write_text(said)
        for words in (["status", "--name", "home"], ["status", "--name", "home", "--json"], ["logs", "--name", "home"]):
            (output / "-".join(words).replace("--", "")).write_text(operator.run(*words).stdout)
        (output / "plan").write_text(operator.plan().stdout)
        secrets = {name: Secret(value) for name, value in values(operator).items()}
        yield Installed(lab, operator, captured, seen, output, secrets)


def test_every_secret_of_the_preset_is_looked_for(installed: Installed) -> None:
    given = {"git-token", "proxmox-token", "truenas-api-key", "s3-access-key", "s3-secret-key", "dns-token"}
    assert set(installed.secrets) == given | GENERATED
    typed = {secret.reveal() for name, secret in installed.secrets.items() if name in given}
    assert typed == {value for value in TOKENS.values() if value} | {installed.lab.git_password}


PLACES: dict[str, Callable[[Installed], tuple[Hit, ...]]] = {
    "Git objects of the remote": lambda i: scan_repository(i.lab.git_dir, i.secrets),
    "Git objects of the clone": lambda i: scan_repository(i.operator.state / "repo", i.secrets),
    "the state folder: Terraform's directories, journal, snapshot, logs, request, plan": lambda i: scan_directory(
        i.operator.state, i.secrets
    ),
    "the configuration folder with vault.age": lambda i: scan_directory(i.operator.home / "config", i.secrets),
    "output of the command line": lambda i: scan_directory(i.output, i.secrets),
    "arguments and environments of every git and terraform": lambda i: scan_directory(i.captured.calls, i.secrets),
    "arguments and environment of the engine": lambda i: scan(i.engine, i.secrets),
}


@pytest.mark.parametrize("place", PLACES)
def test_no_secret_in(installed: Installed, place: str) -> None:
    assert PLACES[place](installed) == ()


def test_what_was_searched_was_there(installed: Installed) -> None:
    """Zero hits mean something only where there is something."""
    state, config = installed.operator.state, installed.operator.home / "config"
    assert sorted(p.name for p in (state / "terraform").iterdir() if p.name != "plugins") == ["cluster", "flux", "secrets"]
    for name in ("journal.jsonl", "snapshot.json", "engine.log", "request.json", "plan.yaml", "terraform/terraform-secrets-*-apply.log"):
        assert list(installed.runs.glob(f"*/{name}")), name
    assert (config / "home" / "vault.age").stat().st_size > 1000
    applies = [argv for argv in installed.captured.argv("terraform") if "apply" in argv]
    assert len(applies) == 3
    assert any("-var-file=/dev/fd/" in word for argv in applies for word in argv), "values come by a pipe"
    assert any("push" in argv for argv in installed.captured.argv("git"))
    assert len(list(installed.captured.calls.glob("*.environ"))) == len(list(installed.captured.calls.glob("*.argv"))) > 20
    assert "all tiers are Ready" in (installed.output / "apply").read_text()


def test_in_the_cluster_each_value_is_in_its_secret_and_nowhere_else(installed: Installed) -> None:
    """Every object of every kind, unpacked: Terraform's state, Helm's releases, events, HelmReleases."""
    found: dict[str, set[str]] = {}
    for hit in scan(everything(installed.lab), installed.secrets):
        found.setdefault(hit.where, set()).add(hit.name)
    releases = {where: names for where, names in found.items() if "/sh.helm.release.v1." in where}
    for where, names in releases.items():
        chart = where.partition("/sh.helm.release.v1.")[2].rpartition(".v")[0]
        assert names <= VALUES_FROM.get(chart, set()), where
    rest = {where for where in found if where not in releases}
    made = [
        item for item in items(installed.lab, "/api/v1/secrets") if (item["metadata"].get("labels") or {}).get("tierup/cluster") == "home"
    ]
    ours = {f"secrets {item['metadata']['namespace']}/{item['metadata']['name']}" for item in made}
    by_charts = {where for where in rest - ours if where.startswith("secrets ") and found[where] <= set().union(*VALUES_FROM.values())}
    assert rest - ours - by_charts == set()
    assert set().union(*(found[where] for where in ours if where in found)) == set(installed.secrets), "each value arrived"
    assert not any("tfstate" in where for where in found)
    assert len([name for name in everything(installed.lab) if "/tfstate-default-tierup-" in name]) == 3


def everything(lab: Lab) -> dict[str, bytes]:
    """`resource namespace/name` -> the object, laid open."""
    found: dict[str, bytes] = {}
    groups = ["/api/v1", *(f"/apis/{g['preferredVersion']['groupVersion']}" for g in lab.api("GET", "/apis")["groups"])]
    for group in groups:
        for resource in lab.api("GET", group)["resources"]:
            if "/" in resource["name"] or "list" not in resource["verbs"]:
                continue
            for item in items(lab, f"{group}/{resource['name']}"):
                meta = item["metadata"]
                found[f"{resource['name']} {meta.get('namespace', '')}/{meta['name']}"] = laid_open(item)
    return found


def laid_open(item: dict[str, Any]) -> bytes:
    """An object as JSON, and every text in it without JSON's escapes, and out of base64 where it is in it."""
    return b"\n".join([json.dumps(item).encode(), *texts(item)])


def texts(value: object) -> Iterator[bytes]:
    if isinstance(value, dict):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, str):
        yield value.encode()
        with contextlib.suppress(binascii.Error, ValueError):
            yield base64.b64decode(value, validate=True)


CODINGS: dict[str, Callable[[str], bytes]] = {
    "plain": lambda v: f"token: {v}\n".encode(),
    "in JSON": lambda v: json.dumps({"a": [v]}).encode(),
    "in a URL": lambda v: f"https://me:{quote(v, safe='')}@git.example.net/".encode(),
    "hex": lambda v: v.encode().hex().encode(),
    "base64": lambda v: base64.b64encode(v.encode()),
    "base64, one byte on": lambda v: base64.b64encode(b"x" + v.encode() + b"y"),
    "base64, two bytes on": lambda v: base64.b64encode(b"xx" + v.encode()),
    "base64 twice": lambda v: base64.b64encode(base64.b64encode(v.encode())),
    "base64 in lines": lambda v: base64.encodebytes(b"some words before it that fill a line, " + v.encode() + b" and behind it"),
    "UTF-16": lambda v: v.encode("utf-16"),
    "gzip": lambda v: gzip.compress(f"values: {v}".encode()),
    "as Helm keeps a release": lambda v: base64.b64encode(base64.b64encode(gzip.compress(json.dumps({"config": v}).encode()))),
}


@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_planted_is_found(installed: Installed, tmp_path: Path, coding: str) -> None:
    """The same scanner, the same kinds of place, each with one leak more."""
    planted = CODINGS[coding](installed.canary)
    expected = {"truenas-api-key"}

    for number, source in enumerate((installed.lab.git_dir, installed.operator.state / "repo")):
        for packed in (False, True):
            assert (
                names(scan_repository(plant_in_git(source, tmp_path / f"{number}-{packed}", planted, packed=packed), installed.secrets))
                == expected
            )

    run = next(installed.runs.iterdir())
    terraform = installed.operator.state / "terraform" / "secrets"
    files = [run / "journal.jsonl", run / "snapshot.json", run / "engine.log", run / "request.json", run / "plan.yaml"]
    files += [next(run.glob("terraform/*.log")), terraform / "terraform.tfvars.json", installed.output / "apply"]
    files += [next(installed.captured.calls.glob("git.*.argv")), next(installed.captured.calls.glob("terraform.*.environ"))]
    for number, file in enumerate(files):
        copy = tmp_path / "files" / str(number) / file.name
        copy.parent.mkdir(parents=True)
        copy.write_bytes(file.read_bytes() + b"\0" + planted + b"\0")
        assert names(scan_directory(copy.parent, installed.secrets)) == expected, file.name

    objects: dict[str, dict[str, Any]] = {
        "Secret": {"data": {"tfstate": base64.b64encode(planted).decode()}},
        "ConfigMap": {"binaryData": {"key": base64.b64encode(planted).decode()}},
    }
    if planted.isascii():
        objects["Event"] = {"message": planted.decode()}
        objects["HelmRelease"] = {"spec": {"values": {"a": [planted.decode()]}}}
    for kind, body in objects.items():
        assert names(scan({kind: laid_open(body)}, installed.secrets)) == expected, kind


def names(hits: tuple[Hit, ...]) -> set[str]:
    return {hit.name for hit in hits}


def plant_in_git(source: Path, copy: Path, data: bytes, *, packed: bool) -> Path:
    """A copy of a repository with an object nothing points at; `packed`: in a pack, as after a push and a gc."""
    shutil.copytree(source, copy, symlinks=True)
    git = ["git", f"--git-dir={copy}"]
    name = subprocess.run([*git, "hash-object", "-w", "--stdin"], input=data, check=True, capture_output=True).stdout.strip()
    if packed:
        subprocess.run([*git, "pack-objects", "-q", f"{copy}/objects/pack/pack"], input=name + b"\n", check=True, capture_output=True)
        subprocess.run([*git, "prune-packed", "-q"], check=True)
        assert not (copy / "objects" / name.decode()[:2] / name.decode()[2:]).exists()
    return copy
