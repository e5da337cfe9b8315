"""Commits without a work tree: a tree from files, a merge of what was rendered into what people have.

The render branch is to the homelab repository what a vendor branch is to a project with third-party code: its commits hold what was
rendered and nothing else, so a three-way merge keeps every hand edit and turns what left the plan into a real deletion.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from wizard.clock import SYSTEM, Clock
from wizard.errors import NeedsOperator, TierupError
from wizard.gitops.program import EMPTY_TREE, IDENTITY, Git

RENDER_TRAILER = "Tierup-Render"
TREE_TRAILER = "Tierup-Tree"
SCRATCH = "refs/tierup/scratch"


def write_tree(git: Git, files: Mapping[str, bytes]) -> str:
    """The id of the Git tree that holds exactly `files`; one process, whatever their number."""
    name, email = IDENTITY
    out = [b"feature done\ncommit %s\ncommitter %s <%s> 0 +0000\ndata 0\ndeleteall\n" % (SCRATCH.encode(), name.encode(), email.encode())]
    for path in sorted(files):
        out.append(b"M 100644 inline %s\ndata %d\n" % (_quoted(path), len(files[path])))
        out.append(files[path] + b"\n")
    git.run("update-ref", "-d", SCRATCH)
    git.run("fast-import", "--quiet", "--force", "--done", "--date-format=raw-permissive", stdin=b"".join([*out, b"done\n"]))
    tree = git.text("rev-parse", f"{SCRATCH}^{{tree}}")
    git.run("update-ref", "-d", SCRATCH)
    return tree


def _quoted(path: str) -> bytes:
    return b'"' + path.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'


def commit(git: Git, tree: str, parents: tuple[str, ...], message: str, *, keep: str, clock: Clock = SYSTEM) -> str:
    """A commit of `tree`, kept under the reference `keep`. The one that is kept there is taken when it is the same but for its date,
    so that preparing twice gives one commit."""
    kept = git.text("rev-parse", "--verify", "--quiet", f"{keep}^{{commit}}", ok=(0, 1))
    if kept and git.text("log", "-1", "--format=%T %P%n%B", kept).rstrip("\n") == f"{tree} {' '.join(parents)}\n{message}".rstrip("\n"):
        return kept
    date = f"{int(clock.now().timestamp())} +0000"
    words = [word for parent in parents for word in ("-p", parent)]
    made = git.run(
        "commit-tree", tree, *words, stdin=message.encode(), env={"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    ).out.decode().strip()  # fmt: skip
    git.run("update-ref", keep, made)
    return made


def merged_tree(git: Git, ours: str, theirs: str) -> str:
    """The tree of `theirs` merged into `ours`. NeedsOperator naming the files when both changed the same lines.

    File by file, each with itself: `git merge-tree` looks for renames and (as of 2.39) cannot be told not to, and would carry
    the edits of a chart that goes over to one that comes, since their files look alike.
    """
    base = git.text("merge-base", ours, theirs, ok=(0, 1)) or EMPTY_TREE
    with TemporaryDirectory(prefix="merge-", dir=git.directory) as name:
        place = Path(name)
        env = {"GIT_INDEX_FILE": str(place / "index")}
        git.run("read-tree", "-i", "-m", "--aggressive", base, ours, theirs, env=env)
        stages: dict[str, dict[int, tuple[str, str]]] = {}
        for line in git.run("ls-files", "--unmerged", "-z", env=env).out.decode("utf-8", "surrogateescape").split("\0"):
            if line:
                head, path = line.split("\t", 1)
                mode, blob, stage = head.split(" ")
                stages.setdefault(path, {})[int(stage)] = (mode, blob)
        conflicts: list[str] = []
        lines: list[str] = []
        for path, sides in sorted(stages.items()):
            merged = _merged_file(git, place, sides)
            if merged is None:
                conflicts.append(path)
            else:
                lines += [f"0 {'0' * 40}\t{path}", f"{sides[2][0]} {merged}\t{path}"]
        if conflicts:
            raise NeedsOperator(
                f"changed by hand in Git and by the plan, in the same place: {', '.join(conflicts)}",
                remedy="nothing was changed. Make the plan and the file agree (put the edit into the chart's `values:` in the plan, or"
                " take it back in Git; where the plan drops a file you edited, delete it in Git), push, and run again",
            )
        if lines:
            git.run(
                "update-index", "-z", "--index-info", stdin="".join(f"{x}\0" for x in lines).encode("utf-8", "surrogateescape"), env=env
            )
        return git.run("write-tree", env=env).out.decode().strip()


def _merged_file(git: Git, place: Path, sides: Mapping[int, tuple[str, str]]) -> str | None:
    """The merged blob of a file that both sides changed (stages 1 base, 2 ours, 3 theirs); None for a conflict."""
    if set(sides) != {1, 2, 3} or any(mode not in ("100644", "100755") for mode, _ in sides.values()):
        return None
    for stage, (_, blob) in sides.items():
        (place / str(stage)).write_bytes(git.run("cat-file", "blob", blob).out)
    merged = git.run("merge-file", "-p", *(str(place / stage) for stage in "213"), ok=tuple(range(256)))
    return git.run("hash-object", "-w", "--stdin", stdin=merged.out).out.decode().strip() if merged.code == 0 else None


def render_message(message: str, cluster: str, tree: str) -> str:
    """The message of a commit of the render branch; its trailers let it be found again, and told from a squashed copy."""
    return f"{message.strip()}\n\n{RENDER_TRAILER}: {cluster}\n{TREE_TRAILER}: {tree}\n"


def last_render(git: Git, head: str, cluster: str) -> str | None:
    """The newest render commit of `cluster` in the history of `head`, for when the render branch is lost.

    A commit counts only if its tree is the one its trailer names: a squashed or rewritten one holds other people's files too.
    """
    form = (
        f"%H%x09%T%x09%(trailers:key={RENDER_TRAILER},valueonly,separator=%x2C)%x09%(trailers:key={TREE_TRAILER},valueonly,separator=%x2C)"
    )
    lines = git.text("log", "--topo-order", f"--format={form}", f"--grep=^{RENDER_TRAILER}: ", head).splitlines()
    for line in lines:
        found, tree, name, named = (*line.split("\t"), "", "", "")[:4]
        if name == cluster and tree == named:
            return found
    return None


def is_ancestor(git: Git, one: str, other: str) -> bool:
    """True if `one` is `other` or in its history."""
    finished = git.run("merge-base", "--is-ancestor", one, other, ok=(0, 1, 128))
    if finished.code == 128 and b"Not a valid" not in finished.err:
        raise TierupError("git cannot read the history of the local copy of the repository")
    return finished.code == 0
