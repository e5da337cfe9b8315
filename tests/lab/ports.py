"""Free loopback ports that stay free: outside the kernel's range for outgoing connections, so that a stopped part finds its port again."""

from __future__ import annotations

import random
import socket

RANGE = range(14000, 32000)


def free_ports(names: list[str]) -> dict[str, int]:
    """A port per name. Every port was bindable a moment ago; two labs starting at once collide with a chance of about 1 in 500 per pair."""
    chosen: dict[str, int] = {}
    picker = random.SystemRandom()
    while len(chosen) < len(names):
        port = picker.choice(RANGE)
        if port not in chosen.values() and _is_free(port):
            chosen[names[len(chosen)]] = port
    return chosen


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
