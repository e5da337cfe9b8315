"""The homelab repository: what is there, what would be committed, and the push.

The clone is bare and ours alone; everything in it can be had again from the remote, so a damaged one is made anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wizard.clock import SYSTEM, Clock
from wizard.errors import InputError, NeedsOperator, TierupError
from wizard.gitops import merge
from wizard.gitops.changes import diff, file_changes, losses
from wizard.gitops.clone import Clone
from wizard.gitops.credential import Credential, checked_url
from wizard.gitops.failures import moved, refused
from wizard.gitops.layout import RENDER_BRANCH, ROOT_FILES, cluster_folder, render_branch
from wizard.gitops.leaks import refuse_leaks
from wizard.gitops.prepared import Prepared, check_paths, ours
from wizard.gitops.program import Git
from wizard.gitops.reading import files_at
from wizard.gitops.versions import version_of
from wizard.process import ProcessError
from wizard.secrets import Secret

__all__ = ["Prepared", "Repository"]
PREPARED = "refs/tierup/prepared"


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
        self._clone = Clone(self.git)
        self._clock = clock

    def fetch(self) -> str | None:
        """Bring the clone up to date; the head of the branch, None when the remote is empty.

        Errors say what the server said, in words. NeedsOperator when there are branches and ours is not one of them.
        """
        self._clone.ready()
        finished = self.git.remote("fetch", "--quiet", "--prune", "--no-tags", "--force", "--no-write-fetch-head", "origin")
        if finished.code != 0:
            raise refused("reading", self.url, finished.err)
        head = self._clone.head(self.branch)
        if head is None:
            others = [name for name in self._clone.branches() if not name.startswith(f"{RENDER_BRANCH}/")]
            if others:
                raise NeedsOperator(
                    f"{self.url} has no branch {self.branch}; it has {', '.join(others[:5])}",
                    remedy="set `git.branch` in the plan to one of them, or create the branch",
                )
        return head

    def versions_in(self, cluster: str) -> dict[str, str]:
        """Chart -> the version that stands in Git, bumped by hand or by Renovate perhaps; as of the last `fetch`."""
        head = self._clone.head(self.branch)
        if head is None:
            return {}
        files = files_at(self.git, head, f"{cluster_folder(cluster)}/")
        sources = {path.split("/")[-2]: data for path, data in files.items() if path.endswith("/source.yaml") and path.count("/") == 4}
        return {chart: version for chart, data in sources.items() if (version := version_of(data))}

    def prepare(self, tree: Mapping[str, bytes], *, cluster: str, message: str, secrets: Mapping[str, Secret] | None = None) -> Prepared:
        """What pushing the rendered `tree` would change, as of the last `fetch`.

        NeedsOperator for a conflict with a hand edit. TierupError when a file would hold a secret or lie outside the cluster's
        folder. No commit is made when nothing changes.
        """
        check_paths(tree, cluster)
        refuse_leaks(tree, secrets or {})
        base = self._clone.head(self.branch)
        previous, notes = self._previous(base, cluster)
        files = {path: data for path, data in tree.items() if path not in ROOT_FILES}
        files |= self._root_files(tree, base, previous)
        rendered = merge.write_tree(self.git, files)
        if previous and self._clone.tree(previous) == rendered:
            render = previous
        else:
            parents = (previous,) if previous else ()
            text = merge.render_message(message, cluster, rendered)
            render = merge.commit(self.git, rendered, parents, text, keep=f"{PREPARED}/{cluster}/render", clock=self._clock)
        commit = self._merged(base, previous, render, cluster, message)
        changes = file_changes(self.git, base, commit)
        strays = [c.subject for c in changes if not ours(c.subject, cluster)]
        if strays:
            raise TierupError(f"the merge would touch files that are not the cluster's: {', '.join(strays[:5])}")
        changes += losses(self.git, base, commit, cluster)
        return Prepared(cluster, base, commit, render, self._clone.tree(commit), diff(self.git, base, commit), changes, notes=notes)

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
        self._clone.ready()
        probe = self._clone.head(self.branch) or merge.commit(
            self.git, merge.write_tree(self.git, {}), (), "probe\n", keep=f"{PREPARED}-probe"
        )
        finished = self.git.remote("push", "--dry-run", "--porcelain", "--no-verify", "origin", f"{probe}:refs/heads/{RENDER_BRANCH}-probe")
        if finished.code != 0:
            raise refused("pushing to", self.url, finished.out + finished.err)

    def _previous(self, base: str | None, cluster: str) -> tuple[str | None, tuple[str, ...]]:
        branch = render_branch(cluster)
        found = self._clone.head(branch)
        if found or base is None:
            return found, ()
        found = merge.last_render(self.git, base, cluster)
        if found:
            return found, (f"the branch {branch} is gone from the remote; it is made anew from the history of {self.branch}",)
        if self._clone.has(base, f"{cluster_folder(cluster)}/"):
            return None, (f"the branch {branch} is gone and cannot be found in the history of {self.branch}; edited files may conflict",)
        return None, ()

    def _root_files(self, tree: Mapping[str, bytes], base: str | None, previous: str | None) -> dict[str, bytes]:
        """Files at the root belong to the operator: once rendered they stay as they were, where one is already none is rendered."""
        kept: dict[str, bytes] = {}
        for name in ROOT_FILES:
            old = self.git.run("cat-file", "blob", f"{previous}:{name}", ok=(0, 128)) if previous else None
            if old is not None and old.code == 0:
                kept[name] = old.out
            elif name in tree and not previous and not self._clone.has(base, name):
                kept[name] = tree[name]
        return kept

    def _merged(self, base: str | None, previous: str | None, render: str, cluster: str, message: str) -> str:
        if base is None or base == previous:
            return render
        tree = merge.merged_tree(self.git, base, render)
        if tree == self._clone.tree(base):
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
