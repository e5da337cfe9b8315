"""An installation from the command line, and what comes after it: nothing, one change, a hand edit, a fault, a new machine.

One lab and one installation of the homelab preset serve the first tests, in the order in which they stand; then the lab is emptied and
the minimal preset is installed with a fault and, from the repository it left, a second time.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab import Lab, oci
from tests.lab.driver import Tierup
from tests.lab.installing import expected, helm_versions, not_ready, pods, release, since, too_early, written
from tests.lab.steps import run
from wizard.catalog import load as load_catalog
from wizard.order import resolve
from wizard.order.needs import kubernetes_secrets
from wizard.plan import Plan, load_plan
from wizard.state import TIERS

pytestmark = pytest.mark.lab
PRESETS = Path(__file__).parents[2] / "presets"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up(f"install-{os.getpid()}") as lab:
        yield lab


@pytest.fixture(scope="module")
def machine(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Tierup:
    """The operator's machine, the homelab preset applied."""
    tierup = Tierup(lab, tmp_path_factory.mktemp("operator") / "home")
    done = tierup.apply()
    assert done.returncode == 0, done.stdout
    return tierup


def the_plan(tierup: Tierup) -> Plan:
    return load_plan(sorted((tierup.state / "runs").iterdir())[-1] / "plan.yaml").plan


def head(lab: Lab) -> str:
    return run(lab, "git", "rev-parse", "main", cwd=lab.git_dir).stdout.strip()


def preset(folder: Path, name: str, *changes: tuple[str, str]) -> str:
    """A copy of a preset in which each first text stands as the second."""
    text = (PRESETS / f"{name}.yaml").read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / f"{name}.yaml").write_text(text)
    return str(folder / f"{name}.yaml")


def by_hand(lab: Lab, folder: Path, path: str, old: str, new: str) -> str:
    """Commit and push an edit of a file below the cluster's folder, as an operator would; returns the new head."""
    url = lab.git_url.replace("http://", f"http://{lab.git_username}:{lab.git_password}@")
    shutil.rmtree(folder, ignore_errors=True)
    run(lab, "git", "clone", "--quiet", url, str(folder))
    file = folder / "clusters" / "home" / path
    assert file.read_text().count(old) == 1, file.read_text()
    file.write_text(file.read_text().replace(old, new))
    who = ("-c", "user.name=me", "-c", "user.email=me@example.net")
    run(lab, "git", *who, "commit", "--quiet", "--all", "--message", f"Edit {path}", cwd=folder)
    run(lab, "git", "push", "--quiet", url, "HEAD:refs/heads/main", cwd=folder)
    return head(lab)


def files(done: subprocess.CompletedProcess[str]) -> set[str]:
    """The files that a proposal in JSON would change, below the cluster's folder."""
    changes = json.loads(done.stdout)["changes"]
    assert {change["kind"] for change in changes} == {"file"}, changes
    return {change["subject"].removeprefix("clusters/home/") for change in changes}


def digest(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stdout
    return str(json.loads(done.stdout)["digest"])


def refused(tierup: Tierup, preset: str, approved: str) -> str:
    """`apply --approve` must refuse and leave cluster and repository alone; returns what it said."""
    lab = tierup.lab
    events, before, versions = sum(1 for _ in lab.audit()), head(lab), helm_versions(lab)
    done = tierup.run("apply", preset, *tierup.plan_options(), "--approve", approved)
    assert done.returncode == 3, done.stdout
    assert written(since(lab, events)) == []
    assert (head(lab), helm_versions(lab)) == (before, versions)
    return done.stdout


def test_every_chart_of_every_tier_is_ready(machine: Tierup) -> None:
    state = machine.status()
    assert {chart["tier"] for chart in state["charts"]} == set(TIERS)
    assert {chart["chart"] for chart in state["charts"] if chart["phase"] != "ready"} == set()
    plan = the_plan(machine)
    wanted = {release(name) for name in resolve(plan, load_catalog(), None).charts if load_catalog().charts[name].tier != "cluster"}
    releases = machine.lab.api("GET", "/apis/helm.toolkit.fluxcd.io/v2/helmreleases")["items"]
    assert {("helmreleases", item["metadata"]["namespace"], item["metadata"]["name"]) for item in releases} == wanted
    assert not_ready(machine.lab) == []


def test_secrets_and_config_maps_have_the_keys_of_the_plan(machine: Tierup) -> None:
    plan, catalog = the_plan(machine), load_catalog()
    wanted = {secret.id: (secret.type, secret.keys) for secret in kubernetes_secrets(plan, catalog, resolve(plan, catalog, None))}
    assert len(wanted) >= 12
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for item in machine.lab.api("GET", "/api/v1/secrets")["items"]:
        name = f"{item['metadata']['namespace']}/{item['metadata']['name']}"
        if name in wanted:
            assert all(item["data"].values()), name
            found[name] = (item["type"], tuple(sorted(item["data"])))
    assert found == wanted
    settings = machine.lab.api("GET", "/api/v1/namespaces/flux-system/configmaps/cluster-settings")["data"]
    assert settings == {**settings, **plan.settings}


def test_git_holds_no_secret_object(machine: Tierup) -> None:
    listing = run(machine.lab, "git", "cat-file", "--batch-all-objects", "--batch-check", cwd=machine.lab.git_dir).stdout
    blobs = [line.split()[0] for line in listing.splitlines() if line.split()[1] == "blob"]
    assert len(blobs) > 100
    objects = [
        item for blob in blobs for item in objects_in(run(machine.lab, "git", "cat-file", "blob", blob, cwd=machine.lab.git_dir).stdout)
    ]
    kinds = {str(item.get("kind")) for item in objects}
    assert {"HelmRelease", "Namespace", "CustomResourceDefinition"} <= kinds
    assert "Secret" not in kinds


def objects_in(text: str) -> list[dict[str, Any]]:
    """The Kubernetes objects of a file, those in lists as well; none in a file that is not YAML."""
    try:
        documents = [item for item in yaml.load_all(text, yaml.CSafeLoader) if isinstance(item, dict)]
    except yaml.YAMLError:
        return []
    return [*documents, *(item for document in documents for item in document.get("items") or () if isinstance(item, dict))]


def test_no_chart_was_installed_before_what_it_depends_on_was_ready(machine: Tierup) -> None:
    edges = expected(the_plan(machine))
    assert len(edges) >= 14
    assert too_early(machine.lab.audit(), edges) == set()


def test_a_second_apply_writes_nothing_and_takes_less_than_ten_seconds(machine: Tierup) -> None:
    before, count, running = head(machine.lab), sum(1 for _ in machine.lab.audit()), pods(machine.lab)
    done = machine.apply(timeout=10)
    assert (done.returncode, "nothing to change" in done.stdout) == (0, True), done.stdout
    assert head(machine.lab) == before
    assert written(since(machine.lab, count)) == []
    assert pods(machine.lab) == running


def test_a_new_machine_with_the_vault_alone_changes_nothing(machine: Tierup, tmp_path: Path) -> None:
    other = Tierup(machine.lab, tmp_path / "elsewhere" / "home")
    shutil.copytree(machine.home / "config", other.home / "config")
    before, count, running = head(machine.lab), sum(1 for _ in machine.lab.audit()), pods(machine.lab)
    done = other.apply()
    assert (done.returncode, "nothing to change" in done.stdout) == (0, True), done.stdout
    shutil.rmtree(machine.home / "state")
    again = machine.apply()
    assert (again.returncode, "nothing to change" in again.stdout) == (0, True), again.stdout
    assert (head(machine.lab), pods(machine.lab)) == (before, running)
    assert written(since(machine.lab, count)) == []


def test_one_option_changes_one_file_and_upgrades_one_release_and_hand_edits_stay(machine: Tierup, tmp_path: Path) -> None:
    lab = machine.lab
    by_hand(lab, tmp_path / "edit", "apps/jellyfin/helmrelease.yaml", "  timeout: 10m\n", "  timeout: 11m # the disks are slow\n")
    changed = preset(tmp_path, "homelab", ("    reloader: {}\n", "    reloader: {options: {reloadAll: true}}\n"))
    shown = machine.plan("--json", preset=changed)
    assert files(shown) == {"system/reloader/helmrelease.yaml", "tierup.yaml"}
    before = helm_versions(lab)
    done = machine.apply(preset=changed)
    assert done.returncode == 0, done.stdout
    assert helm_versions(lab) - before == {("reloader", "sh.helm.release.v1.reloader.v2")}
    assert not_ready(lab) == []
    assert (
        "timeout: 11m # the disks are slow"
        in run(lab, "git", "show", "main:clusters/home/apps/jellyfin/helmrelease.yaml", cwd=lab.git_dir).stdout
    )


def test_a_conflict_names_the_file_and_changes_nothing(machine: Tierup, tmp_path: Path) -> None:
    lab = machine.lab
    first = ("    reloader: {}\n", "    reloader: {options: {reloadAll: true, strategy: default}}\n")
    by_hand(lab, tmp_path / "edit", "system/reloader/helmrelease.yaml", "reloadStrategy: annotations", "reloadStrategy: env-vars")
    before, count = head(lab), sum(1 for _ in lab.audit())
    done = machine.apply(preset=preset(tmp_path, "homelab", first))
    assert done.returncode == 3, done.stdout
    assert "clusters/home/system/reloader/helmrelease.yaml" in done.stdout
    assert (head(lab), written(since(lab, count))) == (before, [])


def test_a_version_bumped_in_git_stays(machine: Tierup, tmp_path: Path) -> None:
    lab, chart = machine.lab, "cert-manager-csi-driver"
    old, path = load_catalog().charts[chart].source.version, f"system/{chart}/source.yaml"
    archive = with_version(read_url(f"{lab.http}/charts/{chart}-{old}.tgz"), old, "v9.9.9")
    oci.Registry(lab.ports["registry"]).push(f"quay.io/jetstack/charts/{chart}", "v9.9.9", chart, archive)
    by_hand(lab, tmp_path / "edit", path, f"tag: {old}", "tag: v9.9.9")
    changed = preset(tmp_path, "homelab", ("    reloader: {}\n", "    reloader: {options: {reloadAll: true}}\n"))
    done = machine.apply(preset=changed)
    assert done.returncode == 0, done.stdout
    assert "tag: v9.9.9" in run(lab, "git", "show", f"main:clusters/home/{path}", cwd=lab.git_dir).stdout
    source = lab.api("GET", f"/apis/source.toolkit.fluxcd.io/v1/namespaces/cert-manager-csi/ocirepositories/{chart}")
    assert source["status"]["artifact"]["revision"].startswith("v9.9.9@")


def read_url(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        data: bytes = answer.read()
    return data


def with_version(archive: bytes, old: str, new: str) -> bytes:
    """A packed chart as its next version."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as source, tarfile.open(fileobj=out, mode="w:gz") as target:
        for member in source.getmembers():
            content = source.extractfile(member)
            data = content.read() if content else b""
            if member.name.endswith("/Chart.yaml"):
                data = data.replace(old.encode(), new.encode())
            member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    return out.getvalue()


def test_what_was_approved_is_void_once_the_repository_or_the_preset_moved(machine: Tierup, tmp_path: Path) -> None:
    option = ("    jellyfin: {}\n", "    jellyfin: {options: {configSize: 6Gi}}\n")
    changed = preset(tmp_path, "homelab", ("    reloader: {}\n", "    reloader: {options: {reloadAll: true}}\n"), option)
    approved = digest(machine.plan("--json", preset=changed))
    by_hand(machine.lab, tmp_path / "edit", "apps/minecraft/helmrelease.yaml", "  timeout: ", "  maxHistory: 3\n  timeout: ")
    refused(machine, changed, approved)
    approved = digest(machine.plan("--json", preset=changed))
    Path(changed).write_text(Path(changed).read_text().replace("6Gi", "7Gi"))
    refused(machine, changed, approved)


@pytest.fixture(scope="module")
def faulty(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Tierup:
    """Another cluster: the minimal preset with a short deadline for Traefik; nothing applied yet."""
    lab.reset()
    folder = tmp_path_factory.mktemp("minimal")
    return Tierup(lab, folder / "home", preset=preset(folder, "minimal", ("    traefik: {}\n", "    traefik: {deadline: 20s}\n")))


def test_a_plan_for_an_empty_cluster_writes_nothing(faulty: Tierup) -> None:
    count = sum(1 for _ in faulty.lab.audit())
    assert faulty.plan("--json").returncode == 2
    assert written(since(faulty.lab, count)) == []


def test_a_chart_that_cannot_start_holds_up_its_dependents_alone_until_it_is_mended(faulty: Tierup) -> None:
    lab = faulty.lab
    lab.knob("traefik", fault="image")
    done = faulty.apply()
    assert done.returncode == 1, done.stdout
    found = lab.api("GET", "/api/v1/namespaces/traefik/pods")["items"]
    error = next(line for line in done.stdout.splitlines() if line.startswith("error: traefik:"))
    assert any(pod["metadata"]["name"] in error for pod in found), error
    assert "ack-off pulling image" in error or "Failed to pull image" in error, error
    phases = {chart["chart"]: chart["phase"] for chart in faulty.status()["charts"]}
    assert phases["vaultwarden"] == "waiting"
    assert {chart for chart, phase in phases.items() if phase != "ready"} == {"traefik", "vaultwarden"}
    assert ("vaultwarden", "sh.helm.release.v1.vaultwarden.v1") not in helm_versions(lab)
    lab.knob("traefik")
    resumed = faulty.resume()
    assert resumed.returncode == 0, resumed.stdout
    assert not_ready(lab) == []
    assert too_early(lab.audit(), expected(the_plan(faulty))) == set()


def test_the_order_is_missed_when_one_edge_is_taken_out_and_another_cluster_voids_an_approval(faulty: Tierup, tmp_path: Path) -> None:
    """The cluster is made anew from its repository: first an approval for the old one must not hold, then one edge is removed by hand."""
    lab = faulty.lab
    plan = the_plan(faulty)
    edited = Path(faulty.preset)
    edited.write_text(edited.read_text().replace("20s", "10m"))
    approved = digest(faulty.plan("--json"))
    run(lab, "git", "clone", "--quiet", "--mirror", str(lab.git_dir), str(tmp_path / "kept.git"))
    lab.reset()
    url = lab.git_url.replace("http://", f"http://{lab.git_username}:{lab.git_password}@")
    run(lab, "git", "push", "--quiet", url, "refs/heads/*:refs/heads/*", cwd=tmp_path / "kept.git")
    events = sum(1 for _ in lab.audit())
    assert faulty.run("apply", faulty.preset, *faulty.plan_options(), "--approve", approved).returncode == 3
    assert written(since(lab, events)) == []
    assert not any(name.startswith("sh.helm.") for _, name in helm_versions(lab))
    by_hand(lab, tmp_path / "edit", "apps/vaultwarden/helmrelease.yaml", "    - name: traefik\n      namespace: traefik\n", "")
    lab.knob("traefik", ready_after=15)  # later than all else vaultwarden waits for: without the edge it must come too early
    done = faulty.apply()
    assert done.returncode == 0, done.stdout
    assert too_early(lab.audit(), expected(plan)) == {(release("vaultwarden"), release("traefik"))}
