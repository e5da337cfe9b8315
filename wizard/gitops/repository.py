"""The homelab repository: what is there, what would be committed, and the push.

The clone is bare and ours alone; everything in it can be had again from the remote, so a damaged one is made anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wizard.clock import SYSTEM, Clock
from wizard.errors import InputError, NeedsOperator, TierupError
from wizard.files import private_directory
from wizard.gitops import merge
from wizard.gitops.changes import diff, file_changes, losses
from wizard.gitops.credential import Credential, checked_url
from wizard.gitops.failures import moved, refused
from wizard.gitops.layout import RENDER_BRANCH, ROOT_FILES, cluster_folder, render_branch
from wizard.gitops.leaks import refuse_leaks
from wizard.gitops.program import Git
from wizard.gitops.versions import version_of
from wizard.process import ProcessError
from wizard.secrets import Secret
from wizard.state import Change

REMOTE = "refs/remotes/origin"
PREPARED = "refs/tierup/prepared"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a push would do. Nothing has left this machine yet."""

    cluster: str
    base: str | None
    """Head of the work branch it was made for; None for an empty remote."""
    commit: str
    """Head of the work branch afterwards; equal to `base` when nothing changes."""
    render: str
    """Head of the render branch afterwards."""
    tree_hash: str
    diff: str
    changes: tuple[Change, ...]
    conflicts: tuple[str, ...] = ()
    """Always empty: a conflict is an error that names the files."""
    notes: tuple[str, ...] = ()
    """What the operator should know, in sentences."""

    @property
    def empty(self) -> bool:
        """True if there is nothing to push."""
        return self.commit == self.base


class Repository:
    """The repository at `url`, its branch `branch`, by way of a clone in `directory` (a caller holds the lock on it)."""

    def __init__(
        self,
        directory: Path,
        url: str,
        branch: str,
        credential: Credential | None,
        *,
        ca_file: Path | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        if not branch or branch.startswith(("-", f"{RENDER_BRANCH}/")) or branch == "HEAD" or any(c in branch for c in " ~^:?*[\\\n"):
            raise InputError(f"{branch!r} cannot be the branch that is worked on")
        self.directory, self.url, self.branch = directory, checked_url(url), branch
        self.git = Git(directory, self.url, credential, ca_file=ca_file)
        self._clock = clock

    def fetch(self) -> str | None:
        """Bring the clone up to date; the head of the branch, None when the remote is empty.

        Errors say what the server said, in words. NeedsOperator when there are branches and ours is not one of them.
        """
        self._clone()
        finished = self.git.remote("fetch", "--quiet", "--prune", "--no-tags", "--force", "--no-write-fetch-head", "origin")
        if finished.code != 0:
            raise refused("reading", self.url, finished.err)
        head = self._head(self.branch)
        if head is None:
            listed = self.git.text("for-each-ref", "--format=%(refname:lstrip=3)", REMOTE).splitlines()
            others = [name for name in listed if not name.startswith(f"{RENDER_BRANCH}/")]
            if others:
                raise NeedsOperator(
                    f"{self.url} has no branch {self.branch}; it has {', '.join(others[:5])}",
                    remedy="set `git.branch` in the plan to one of them, or create the branch",
                )
        return head

    def versions_in(self, cluster: str) -> dict[str, str]:
        """Chart -> the version that stands in Git, bumped by hand or by Renovate perhaps; as of the last `fetch`."""
        head = self._head(self.branch)
        if head is None:
            return {}
        root = cluster_folder(cluster)
        listed = self.git.run("ls-tree", "-r", "-z", "--name-only", head, f"{root}/").out.decode("utf-8", "surrogateescape").split("\0")
        paths = [p for p in listed if p.endswith("/source.yaml") and p.count("/") == root.count("/") + 3]
        if not paths:
            return {}
        wanted = "".join(f"{head}:{path}\n" for path in paths if "\n" not in path)
        stream = self.git.run("cat-file", "--batch", "--buffer", stdin=wanted.encode("utf-8", "surrogateescape")).out
        found: dict[str, str] = {}
        for path in (p for p in paths if "\n" not in p):
            header, _, stream = stream.partition(b"\n")
            size = int(header.split()[-1]) if not header.endswith(b"missing") else -1
            version = version_of(stream[: max(size, 0)])
            stream = stream[size + 1 :]
            if version:
                found[path.split("/")[-2]] = version
        return found

    def prepare(self, tree: Mapping[str, bytes], *, cluster: str, message: str, secrets: Mapping[str, Secret] | None = None) -> Prepared:
        """What pushing the rendered `tree` would change, as of the last `fetch`.

        NeedsOperator for a conflict with a hand edit. TierupError when a file would hold a secret or lie outside the cluster's
        folder. No commit is made when nothing changes.
        """
        _check_paths(tree, cluster)
        refuse_leaks(tree, secrets or {})
        base = self._head(self.branch)
        previous, notes = self._previous(base, cluster)
        files = {path: data for path, data in tree.items() if path not in ROOT_FILES}
        files |= self._root_files(tree, base, previous)
        rendered = merge.write_tree(self.git, files)
        if previous and self._tree(previous) == rendered:
            render = previous
        else:
            parents = (previous,) if previous else ()
            text = merge.render_message(message, cluster, rendered)
            render = merge.commit(self.git, rendered, parents, text, keep=f"{PREPARED}/{cluster}/render", clock=self._clock)
        commit = self._merged(base, previous, render, cluster, message)
        changes = file_changes(self.git, base, commit)
        strays = [c.subject for c in changes if not _ours(c.subject, cluster)]
        if strays:
            raise TierupError(f"the merge would touch files that are not the cluster's: {', '.join(strays[:5])}")
        changes += losses(self.git, base, commit, cluster)
        return Prepared(cluster, base, commit, render, self._tree(commit), diff(self.git, base, commit), changes, notes=notes)

    def push(self, prepared: Prepared) -> None:
        """Push both branches, fast-forward only. Done when it returns; a push that was already done is taken as such.

        NeedsOperator when the remote moved since `prepare`, or when a Kustomization would go that `prepared.changes` does not name.
        """
        if prepared.empty:
            return
        head = self.fetch()
        if head is not None and merge.is_ancestor(self.git, prepared.commit, head):
            return
        if head != prepared.base:
            raise self._moved()
        named = {change.subject for change in prepared.changes if change.action == "delete"}
        unnamed = [c.subject for c in losses(self.git, head, prepared.commit, prepared.cluster) if c.subject not in named]
        if unnamed:
            raise NeedsOperator(
                f"the push would drop {', '.join(unnamed)}, which was not shown", remedy="run the command again and look at its changes"
            )
        work = f"{prepared.commit}:refs/heads/{self.branch}"
        render = f"{prepared.render}:refs/heads/{render_branch(prepared.cluster)}"
        try:
            finished = self.git.remote("push", "--porcelain", "--atomic", "--no-verify", "origin", work, render)
            if finished.code != 0 and b"does not support --atomic" in finished.err:
                finished = self.git.remote("push", "--porcelain", "--no-verify", "origin", render, work)
        except ProcessError:
            if self._arrived(prepared.commit):
                return
            raise
        said = finished.out + finished.err
        if finished.code == 0 or self._arrived(prepared.commit):
            return
        raise self._moved() if moved(said) else refused("pushing to", self.url, said)

    def can_push(self) -> None:
        """Try a push without pushing; the error that a real one would meet on its way in (a hook or a branch rule shows only then)."""
        self._clone()
        probe = self._head(self.branch) or merge.commit(self.git, merge.write_tree(self.git, {}), (), "probe\n", keep=f"{PREPARED}-probe")
        finished = self.git.remote("push", "--dry-run", "--porcelain", "--no-verify", "origin", f"{probe}:refs/heads/{RENDER_BRANCH}-probe")
        if finished.code != 0:
            raise refused("pushing to", self.url, finished.out + finished.err)

    def _clone(self) -> None:
        """Make the clone, or make it anew when a killed git left it locked or damaged: nothing is only here."""
        private_directory(self.directory)
        if next(self.directory.rglob("*.lock"), None) is not None or not self._sound():
            shutil.rmtree(self.directory)
            private_directory(self.directory)
        if not (self.directory / "HEAD").exists():
            self.git.run("init", "--quiet", "--bare", "--template=", str(self.directory))

    def _sound(self) -> bool:
        if not any(self.directory.iterdir()):
            return True
        try:
            return self.git.text("rev-parse", "--is-bare-repository") == "true" and self._whole()
        except TierupError:
            return False

    def _whole(self) -> bool:
        """True if everything that the references reach is there."""
        return self.git.run("fsck", "--connectivity-only", "--no-dangling", "--no-progress").code == 0

    def _head(self, branch: str) -> str | None:
        return self.git.text("rev-parse", "--verify", "--quiet", f"{REMOTE}/{branch}^{{commit}}", ok=(0, 1)) or None

    def _tree(self, commit: str) -> str:
        return self.git.text("rev-parse", f"{commit}^{{tree}}")

    def _previous(self, base: str | None, cluster: str) -> tuple[str | None, tuple[str, ...]]:
        branch = render_branch(cluster)
        found = self._head(branch)
        if found or base is None:
            return found, ()
        found = merge.last_render(self.git, base, cluster)
        if found:
            return found, (f"the branch {branch} is gone from the remote; it is made anew from the history of {self.branch}",)
        if self.git.text("ls-tree", "--name-only", base, f"{cluster_folder(cluster)}/"):
            return None, (f"the branch {branch} is gone and cannot be found in the history of {self.branch}; edited files may conflict",)
        return None, ()

    def _root_files(self, tree: Mapping[str, bytes], base: str | None, previous: str | None) -> dict[str, bytes]:
        """Files at the root belong to the operator: once rendered they stay as they were, where one is already none is rendered."""
        kept: dict[str, bytes] = {}
        for name in ROOT_FILES:
            old = self.git.run("cat-file", "blob", f"{previous}:{name}", ok=(0, 128)) if previous else None
            if old is not None and old.code == 0:
                kept[name] = old.out
            elif name in tree and not previous and not (base and self.git.text("ls-tree", "--name-only", base, "--", name)):
                kept[name] = tree[name]
        return kept

    def _merged(self, base: str | None, previous: str | None, render: str, cluster: str, message: str) -> str:
        if base is None or base == previous:
            return render
        tree = merge.merged_tree(self.git, base, render)
        if tree == self._tree(base):
            return base
        return merge.commit(
            self.git, tree, (base, render), f"{message.strip()}\n", keep=f"{PREPARED}/{cluster}/work", clock=self._clock
        )  # fmt: skip

    def _arrived(self, commit: str) -> bool:
        """After a push whose end was not seen: whether it came through all the same."""
        try:
            head = self.fetch()
        except TierupError:
            return False
        return head is not None and merge.is_ancestor(self.git, commit, head)

    def _moved(self) -> NeedsOperator:
        return NeedsOperator(
            f"the remote moved: somebody pushed to {self.branch} of {self.url} meanwhile",
            remedy="nothing was pushed. Run the same command again; it takes in what was pushed and shows the changes anew",
        )


def _ours(path: str, cluster: str) -> bool:
    return path.startswith(f"{cluster_folder(cluster)}/") or path in ROOT_FILES


def _check_paths(tree: Mapping[str, bytes], cluster: str) -> None:
    for path in tree:
        parts = path.split("/")
        if not _ours(path, cluster) or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
            raise TierupError(f"{path!r} does not lie in {cluster_folder(cluster)}")
