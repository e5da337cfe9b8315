"""The homelab repository with the real git: hand edits, conflicts, losses, crashes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.unit.githttp import Person, bare, git
from wizard.errors import InputError, NeedsOperator, TierupError
from wizard.gitops.prepared import Prepared
from wizard.gitops.repository import Repository
from wizard.secrets import Secret

RELEASE = "clusters/home/system/a/helmrelease.yaml"
SOURCE = "clusters/home/system/a/source.yaml"
INDEX = "clusters/home/kustomization.yaml"


def flux(name: str) -> bytes:
    return (
        f"apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: {name}\n  namespace: flux-system\n".encode()
    )


def tree(*charts: str, values: str = "replicas: 1", version: str = "1.0.0") -> dict[str, bytes]:
    """What a render might give: an index, and for each chart its Kustomization, release and source."""
    files = {
        "README.md": b"# Homelab\n",
        "renovate.json": b"{}\n",
        INDEX: b"resources:\n" + b"".join(f"  - system/{chart}.yaml\n".encode() for chart in charts),
    }
    for chart in charts:
        files[f"clusters/home/system/{chart}.yaml"] = flux(chart)
        files[f"clusters/home/system/{chart}/helmrelease.yaml"] = (
            f"kind: HelmRelease\nmetadata:\n  name: {chart}\nspec:\n  interval: 1h\n  timeout: 10m\n  values:\n    {values}\n".encode()
        )
        files[f"clusters/home/system/{chart}/source.yaml"] = f"kind: OCIRepository\nspec:\n  ref:\n    tag: {version}\n".encode()
    return files


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return bare(tmp_path / "remote.git")


@pytest.fixture
def repository(tmp_path: Path, remote: Path) -> Repository:
    return Repository(tmp_path / "state", str(remote), "main", None)


@pytest.fixture
def person(tmp_path: Path, remote: Path) -> Person:
    return Person(remote, tmp_path / "person")


def apply(repository: Repository, files: dict[str, bytes], **more: dict[str, Secret]) -> Prepared:
    repository.fetch()
    prepared = repository.prepare(files, cluster="home", message="Install home", **more)
    repository.push(prepared)
    return prepared


def heads(remote: Path) -> dict[str, str]:
    lines = git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads", cwd=remote).splitlines()
    return dict(line.split(" ", 1) for line in lines)


def refusal(error: pytest.ExceptionInfo[TierupError]) -> str:
    return " ".join(str(error.value).split())


def test_an_empty_remote_gets_both_branches_and_a_second_run_no_commit(repository: Repository, remote: Path, person: Person) -> None:
    assert repository.fetch() is None
    first = apply(repository, tree("a", "b"))
    assert first.base is None and not first.empty
    assert heads(remote) == {"main": first.commit, "tierup/render/home": first.render}
    assert person.lists() == set(tree("a", "b"))
    assert {c.action for c in first.changes} == {"create"}
    again = apply(repository, tree("a", "b"))
    assert again.empty and again.changes == () and again.diff == ""
    assert heads(remote) == {"main": first.commit, "tierup/render/home": first.render}


def test_the_same_content_gives_the_same_tree_hash_on_another_machine(tmp_path: Path, repository: Repository) -> None:
    other = Repository(tmp_path / "other", str(bare(tmp_path / "elsewhere.git")), "main", None)
    assert apply(repository, tree("a")).tree_hash == apply(other, dict(reversed(tree("a").items()))).tree_hash


def test_preparing_twice_gives_one_commit(repository: Repository) -> None:
    repository.fetch()
    one, two = (repository.prepare(tree("a"), cluster="home", message="Install home") for _ in range(2))
    assert one.commit == two.commit


def test_a_hand_edit_survives_a_render(repository: Repository, person: Person) -> None:
    apply(repository, tree("a", "b"))
    person.commits({RELEASE: tree("a")[RELEASE].decode().replace("interval: 1h", "interval: 5m"), "clusters/home/apps/mine.yaml": "x: 1\n"})
    prepared = apply(repository, tree("a", "b", values="replicas: 3"))
    text = person.reads(RELEASE)
    assert "interval: 5m" in text and "replicas: 3" in text
    assert person.reads("clusters/home/apps/mine.yaml") == "x: 1"
    assert git("rev-list", "--parents", "-1", prepared.commit, cwd=repository.directory).split()[1:] == [prepared.base, prepared.render]


def test_what_leaves_the_plan_is_deleted_and_what_came_by_hand_is_not(repository: Repository, person: Person) -> None:
    apply(repository, tree("a", "b"))
    person.commits({"clusters/home/system/b/notes.md": "mine\n"})
    prepared = apply(repository, tree("a"))
    assert person.lists() == {*tree("a"), "clusters/home/system/b/notes.md"}
    assert "Kustomization flux-system/b" in {c.subject for c in prepared.changes if c.action == "delete"}


def test_an_edit_of_a_chart_that_goes_does_not_move_to_one_that_comes(repository: Repository, person: Person) -> None:
    """Their files are nearly equal: a merge that looks for renames would carry the edit over."""
    apply(repository, tree("a", "b"))
    edited = tree("a")[RELEASE].decode().replace("interval: 1h", "interval: 5m")
    person.commits({RELEASE: edited})
    repository.fetch()
    with pytest.raises(NeedsOperator, match=RELEASE):
        repository.prepare(tree("b", "c"), cluster="home", message="m")


def test_edits_of_both_sides_in_one_file_are_merged(repository: Repository, person: Person) -> None:
    apply(repository, tree("a"))
    person.commits({RELEASE: tree("a")[RELEASE].decode().replace("kind: HelmRelease", "# mine\nkind: HelmRelease"), SOURCE: None})
    apply(repository, tree("a", values="replicas: 3"))
    assert person.reads(RELEASE).startswith("# mine") and "replicas: 3" in person.reads(RELEASE)
    assert SOURCE not in person.lists()


def test_a_real_conflict_names_the_file_and_changes_nothing(repository: Repository, remote: Path, person: Person) -> None:
    apply(repository, tree("a", "b"))
    person.commits({RELEASE: tree("a", values="replicas: 2")[RELEASE].decode()})
    before = heads(remote)
    repository.fetch()
    with pytest.raises(NeedsOperator) as error:
        repository.prepare(tree("a", "b", values="replicas: 3"), cluster="home", message="m")
    assert RELEASE in refusal(error) and "system/b" not in refusal(error)
    assert heads(remote) == before
    person.commits({RELEASE: tree("a", values="replicas: 3")[RELEASE].decode()})
    assert not apply(repository, tree("a", "b", values="replicas: 3")).empty


def test_versions_are_read_back_from_git(repository: Repository, person: Person) -> None:
    apply(repository, tree("a", "b"))
    person.commits({SOURCE: tree("a", version="1.1.0")[SOURCE].decode()})
    repository.fetch()
    assert repository.versions_in("home") == {"a": "1.1.0", "b": "1.0.0"}
    bumped = tree("a", "b") | {SOURCE: tree("a", version="1.1.0")[SOURCE]}
    assert apply(repository, bumped).empty


def test_foreign_content_is_kept(repository: Repository, person: Person) -> None:
    mine = {"README.md": "mine\n", "src/main.c": "int x;\n", "clusters/office/kustomization.yaml": "resources: []\n"}
    person.commits(dict(mine))
    prepared = apply(repository, tree("a"))
    assert {name: person.reads(name) + "\n" for name in mine} == mine
    assert "renovate.json" in person.lists()
    assert all(c.subject.startswith(("clusters/home/", "renovate.json")) for c in prepared.changes)
    assert apply(repository, tree("a")).empty


def test_root_files_are_written_once_and_then_the_operators(repository: Repository, person: Person) -> None:
    apply(repository, tree("a"))
    person.commits({"README.md": "mine\n", "renovate.json": None})
    apply(repository, tree("a", "b") | {"README.md": b"# Newer\n"})
    assert person.reads("README.md") == "mine"
    assert "renovate.json" not in person.lists()


def test_two_clusters_share_a_repository(repository: Repository, person: Person) -> None:
    apply(repository, tree("a"))
    office = {path.replace("clusters/home", "clusters/office"): data for path, data in tree("b").items()}
    repository.fetch()
    prepared = repository.prepare(office, cluster="office", message="Install office")
    repository.push(prepared)
    assert {c.subject.split("/")[1] for c in prepared.changes if c.kind == "file"} == {"office"}
    assert person.lists() == {*tree("a"), *office}
    assert apply(repository, tree("a")).empty


def test_a_lost_clone_is_had_again_from_the_remote(repository: Repository, person: Person) -> None:
    apply(repository, tree("a", "b"))
    person.commits({RELEASE: tree("a")[RELEASE].decode().replace("interval: 1h", "interval: 5m")})
    shutil.rmtree(repository.directory)
    assert apply(repository, tree("a", "b")).empty
    apply(repository, tree("a"))
    assert "interval: 5m" in person.reads(RELEASE)


@pytest.mark.parametrize("damage", ["lock", "object", "head"])
def test_a_clone_that_a_killed_git_left_broken_is_made_anew(repository: Repository, damage: str) -> None:
    apply(repository, tree("a"))
    if damage == "lock":
        (repository.directory / "packed-refs.lock").touch()
    elif damage == "head":
        (repository.directory / "HEAD").write_bytes(b"")
    else:
        shutil.rmtree(repository.directory / "objects" / "pack")
    repository = Repository(repository.directory, repository.url, "main", None)
    assert apply(repository, tree("a")).empty
    assert not apply(repository, tree("a", "b")).empty


def test_a_lost_render_branch_is_found_in_the_history(repository: Repository, remote: Path, person: Person) -> None:
    apply(repository, tree("a", "b"))
    person.commits({RELEASE: tree("a")[RELEASE].decode().replace("interval: 1h", "interval: 5m")})
    apply(repository, tree("a", "b", "c"))
    git("update-ref", "-d", "refs/heads/tierup/render/home", cwd=remote)
    prepared = apply(repository, tree("a", "b", values="replicas: 3"))
    assert prepared.notes and "tierup/render/home" in prepared.notes[0]
    assert heads(remote)["tierup/render/home"] == prepared.render
    assert "interval: 5m" in person.reads(RELEASE) and "replicas: 3" in person.reads(RELEASE)
    assert "clusters/home/system/c.yaml" not in person.lists()


def test_a_squashed_history_is_not_taken_for_a_render(repository: Repository, remote: Path, person: Person) -> None:
    """The squashed commit says the same words, but holds foreign files: as a base it would have them all deleted."""
    first = apply(repository, tree("a"))
    person.commits({"src/main.c": "int x;\n"})
    words = git("log", "-1", "--format=%B", first.commit, cwd=remote)
    squashed = git("commit-tree", f"{git('rev-parse', 'main', cwd=remote)}^{{tree}}", "-m", words, cwd=remote)
    git("update-ref", "refs/heads/main", squashed, cwd=remote)
    git("update-ref", "-d", "refs/heads/tierup/render/home", cwd=remote)
    prepared = apply(repository, tree("a") | {"clusters/home/new.yaml": b"x: 1\n"})
    assert set(git("ls-tree", "-r", "--name-only", "main", cwd=remote).splitlines()) == {*tree("a"), "src/main.c", "clusters/home/new.yaml"}
    assert "cannot be found" in prepared.notes[0]


def test_a_remote_that_moved_is_refused_and_the_next_run_takes_it_in(repository: Repository, remote: Path, person: Person) -> None:
    repository.fetch()
    prepared = repository.prepare(tree("a"), cluster="home", message="m")
    theirs = person.commits({"notes.md": "first\n"})
    with pytest.raises(NeedsOperator, match="moved"):
        repository.push(prepared)
    assert heads(remote) == {"main": theirs}
    apply(repository, tree("a"))
    assert person.reads("notes.md") == "first"


def test_a_remote_that_was_set_back_is_refused_too(repository: Repository, remote: Path) -> None:
    """The server would take the push: it is a fast-forward there as well, and would bring back what somebody took away."""
    first = apply(repository, tree("a"))
    apply(repository, tree("a", "b"))
    prepared = repository.prepare(tree("a", "b", "c"), cluster="home", message="m")
    git("update-ref", "refs/heads/main", first.commit, cwd=remote)
    with pytest.raises(NeedsOperator, match="moved"):
        repository.push(prepared)
    assert heads(remote)["main"] == first.commit


def test_a_race_within_the_push_moves_neither_branch(
    repository: Repository, remote: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.fetch()
    prepared = repository.prepare(tree("a"), cluster="home", message="m")
    seen = repository.fetch()
    theirs = person.commits({"notes.md": "first\n"})
    monkeypatch.setattr(repository, "fetch", lambda: seen)
    with pytest.raises(NeedsOperator, match="moved"):
        repository.push(prepared)
    assert heads(remote) == {"main": theirs}


def test_a_push_that_was_done_before_a_crash_is_adopted(repository: Repository, person: Person) -> None:
    prepared = apply(repository, tree("a"))
    repository.push(prepared)
    person.commits({"notes.md": "later\n"})
    repository.push(prepared)
    assert apply(repository, tree("a")).empty


def test_a_kustomization_that_would_go_unnamed_stops_the_push(repository: Repository, remote: Path) -> None:
    apply(repository, tree("a", "b"))
    before = heads(remote)
    repository.fetch()
    prepared = repository.prepare(tree("a"), cluster="home", message="m")
    unnamed = Prepared(
        prepared.cluster, prepared.base, prepared.commit, prepared.render, prepared.tree_hash, "",
        tuple(c for c in prepared.changes if c.kind == "file"),
    )  # fmt: skip
    with pytest.raises(NeedsOperator, match="flux-system/b"):
        repository.push(unnamed)
    assert heads(remote) == before


def test_a_line_taken_out_of_the_index_counts_as_a_loss(repository: Repository) -> None:
    apply(repository, tree("a", "b"))
    repository.fetch()
    files = tree("a", "b") | {INDEX: tree("a")[INDEX]}
    changes = repository.prepare(files, cluster="home", message="m").changes
    assert [(c.action, c.subject) for c in changes if c.kind == "object"] == [("delete", "Kustomization flux-system/b")]


@pytest.mark.parametrize(
    "path", ["clusters/office/x", "x", "clusters/home/../x", "clusters/home/.git/x", "clusters/home//x", "clusters/home/.GIT/config"]
)
def test_only_the_clusters_folder_is_written(repository: Repository, path: str) -> None:
    repository.fetch()
    with pytest.raises(TierupError, match="does not lie in"):
        repository.prepare(tree("a") | {path: b""}, cluster="home", message="m")


def test_a_secret_is_refused_before_git_has_it(repository: Repository) -> None:
    repository.fetch()
    with pytest.raises(TierupError) as error:
        repository.prepare(
            tree("a", values="password: hunter2-canary"), cluster="home", message="m", secrets={"pw": Secret("hunter2-canary")}
        )
    assert RELEASE in refusal(error) and "pw" in refusal(error) and "hunter2" not in refusal(error)
    assert git("cat-file", "--batch-all-objects", "--batch-check", cwd=repository.directory) == ""


def test_paths_and_contents_of_any_kind_arrive(repository: Repository, remote: Path) -> None:
    files = tree("a") | {'clusters/home/ü "q"\\n.bin': bytes(range(256)), "clusters/home/empty": b""}
    apply(repository, files)
    shown = git("ls-tree", "-r", "-z", "--name-only", "main", cwd=remote).split("\0")
    assert set(filter(None, shown)) == set(files)


def test_the_operators_own_git_configuration_changes_nothing(
    repository: Repository, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / "hooks").mkdir(parents=True)
    (home / "hooks" / "pre-push").write_text("#!/bin/sh\nexit 1\n")
    (home / "hooks" / "pre-push").chmod(0o700)
    config = ["[core]", f"hooksPath = {home}/hooks", "autocrlf = true", "[user]", "name = Ada", '[url "/nowhere"]', f"insteadOf = {remote}"]
    (home / ".gitconfig").write_text("\n".join(config))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    repository.fetch()
    (repository.directory / "hooks").mkdir()
    (repository.directory / "hooks" / "reference-transaction").write_text("#!/bin/sh\nexit 1\n")
    (repository.directory / "hooks" / "reference-transaction").chmod(0o700)
    prepared = apply(repository, tree("a"))
    assert heads(remote)["main"] == prepared.commit
    assert git("log", "-1", "--format=%an %ae", "main", cwd=remote) == "tierup tierup@localhost"


def test_a_branch_that_is_not_there_is_said(repository: Repository, person: Person, tmp_path: Path, remote: Path) -> None:
    person.commits({"x": "1\n"})
    with pytest.raises(NeedsOperator, match=r"no branch trunk; it has main"):
        Repository(tmp_path / "other", str(remote), "trunk", None).fetch()


@pytest.mark.parametrize("branch", ["", "-x", "HEAD", "tierup/render/home", "a b"])
def test_a_branch_that_cannot_be_worked_on_is_refused(tmp_path: Path, branch: str) -> None:
    with pytest.raises(InputError):
        Repository(tmp_path, "/x", branch, None)
