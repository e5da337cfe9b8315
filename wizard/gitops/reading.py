"""Files out of the clone, by commit and path."""

from __future__ import annotations

from wizard.gitops.program import Git


def files_at(git: Git, commit: str | None, prefix: str) -> dict[str, bytes]:
    """Path -> bytes of every file below `prefix` (a folder with `/`, or a file's path) in a commit; none for no commit."""
    if commit is None:
        return {}
    listed = git.run("ls-tree", "-r", "-z", commit, prefix).out.split(b"\0")
    entries = [line.split(b"\t", 1) for line in listed if b"\t" in line]
    blobs = [(head.split()[2].decode(), path.decode("utf-8", "surrogateescape")) for head, path in entries if head.split()[1] == b"blob"]
    if not blobs:
        return {}
    stream = git.run("cat-file", "--batch", "--buffer", stdin="".join(f"{blob}\n" for blob, _ in blobs).encode()).out
    found: dict[str, bytes] = {}
    for _, path in blobs:
        header, _, stream = stream.partition(b"\n")
        size = int(header.split()[-1])
        found[path], stream = stream[:size], stream[size + 1 :]
    return found
