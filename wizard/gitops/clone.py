"""The bare clone on this machine: ours alone, and had again from the remote whenever it is damaged."""

from __future__ import annotations

import shutil

from wizard.errors import TierupError
from wizard.files import private_directory
from wizard.gitops.program import Git

REMOTE = "refs/remotes/origin"


class Clone:
    """The clone that `git` works on; its caller holds the lock of the plan."""

    def __init__(self, git: Git) -> None:
        self.git = git
        self._looked_at = False

    def ready(self) -> None:
        """Make the clone, or make it anew when a killed git left it locked or damaged: nothing is only here."""
        directory = self.git.directory
        private_directory(directory)
        locked = next(directory.rglob("*.lock"), None) is not None
        if locked or not (self._looked_at or self._sound()):
            shutil.rmtree(directory)
            private_directory(directory)
        if not (directory / "HEAD").exists():
            self.git.run("init", "--quiet", "--bare", "--template=", str(directory))
        self._looked_at = True

    def head(self, branch: str) -> str | None:
        """The commit of a branch of the remote as of the last fetch."""
        return self.git.text("rev-parse", "--verify", "--quiet", f"{REMOTE}/{branch}^{{commit}}", ok=(0, 1)) or None

    def branches(self) -> list[str]:
        """All branches of the remote as of the last fetch."""
        return self.git.text("for-each-ref", "--format=%(refname:lstrip=3)", REMOTE).splitlines()

    def tree(self, commit: str) -> str:
        """The id of a commit's tree."""
        return self.git.text("rev-parse", f"{commit}^{{tree}}")

    def has(self, commit: str | None, path: str) -> bool:
        """True if there is something at `path` in `commit`."""
        return commit is not None and self.git.text("ls-tree", "--name-only", commit, "--", path) != ""

    def _sound(self) -> bool:
        """True if it is empty, or a bare repository that holds everything its references reach."""
        if not any(self.git.directory.iterdir()):
            return True
        try:
            if self.git.text("rev-parse", "--is-bare-repository") != "true":
                return False
            self.git.run("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
        except TierupError:
            return False
        return True
