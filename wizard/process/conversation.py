"""Writing to and reading from a child that runs to its end."""

from __future__ import annotations

import os
import selectors
import subprocess
from pathlib import Path
from typing import IO

from wizard.clock import SYSTEM
from wizard.process.failure import ProcessError, too_long


def converse(
    child: subprocess.Popen[bytes], stdin: bytes | None, deadline: float, timeout: float, limit: int, name: str
) -> tuple[bytes, bytes]:
    """Write `stdin` and read both streams until they end, or until the child has ended and is silent (a grandchild may hold them)."""
    heard: dict[int, bytearray] = {}
    with selectors.DefaultSelector() as selector:
        for stream in (child.stdout, child.stderr):
            assert stream is not None
            heard[stream.fileno()] = bytearray()
            selector.register(stream, selectors.EVENT_READ)
        unsaid = memoryview(stdin or b"")
        if child.stdin is not None:
            os.set_blocking(child.stdin.fileno(), False)
            selector.register(child.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            left = deadline - SYSTEM.monotonic()
            if left <= 0:
                raise too_long(name, timeout)
            ended = child.poll() is not None
            ready = selector.select(min(left, 0.1))
            if not ready and ended:
                break
            for key, _ in ready:
                if child.stdin is not None and key.fileobj is child.stdin:
                    unsaid = _say(child.stdin, unsaid)
                    if not unsaid:
                        selector.unregister(child.stdin)
                        child.stdin.close()
                    continue
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fileobj)
                    continue
                heard[key.fd] += chunk
                if len(heard[key.fd]) > limit:
                    raise ProcessError(f"`{Path(name).name}` wrote more than {limit} bytes and was stopped")
    out, err = heard.values()
    return bytes(out), bytes(err)


def _say(stream: IO[bytes], text: memoryview) -> memoryview:
    try:
        return text[os.write(stream.fileno(), text[:65536]) :] if text else text
    except BlockingIOError:
        return text
    except BrokenPipeError:
        return text[:0]
