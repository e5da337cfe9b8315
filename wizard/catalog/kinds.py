"""What an option's value may be: each type with the check that says in words what is wrong."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any, Final, Literal
from urllib.parse import urlsplit

OptionType = Literal[
    "text", "number", "choice", "switch", "list", "address", "range", "cidr", "host", "url", "email", "timezone", "duration", "size"
]

_LABEL: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_EMAIL: Final = re.compile(r"[^@\s\"']{1,64}@[^@\s\"']{1,253}")
_TIMEZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
_DURATION: Final = re.compile(r"(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,5})s)?")
_SIZE: Final = re.compile(r"[1-9]\d{0,9}(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?")


def seconds(text: str) -> float:
    """A duration such as `90s`, `10m` or `1h30m` in seconds; ValueError for anything else."""
    match = _DURATION.fullmatch(text)
    if not match or not text:
        raise ValueError("must be a duration such as 90s, 10m or 1h30m")
    hours, minutes, rest = (int(group or 0) for group in match.groups())
    return float(hours * 3600 + minutes * 60 + rest)


def _address(value: str) -> str | None:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return "must be an IP address such as 192.0.2.10"
    return None


def _range(value: str) -> str | None:
    first, _, last = value.partition("-")
    try:
        low, high = ipaddress.ip_address(first), ipaddress.ip_address(last)
    except ValueError:
        return "must be a range of addresses such as 192.0.2.40-192.0.2.60"
    if low.version != high.version:
        return "both addresses must be IPv4 or both IPv6"
    return "the first address must not be above the last" if int(low) > int(high) else None


def _cidr(value: str) -> str | None:
    if "/" not in value:
        return "must be a network such as 10.244.0.0/16"
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        if "host bits" in str(error):
            return f"has host bits set: did you mean {ipaddress.ip_network(value, strict=False)}?"
        return "must be a network such as 10.244.0.0/16"
    return None


def _host(value: str) -> str | None:
    if len(value) <= 253 and _HOST.fullmatch(value):
        return None
    return _address(value) and "must be a host name (lower case) or an IP address, without port or scheme"


def _url(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return "must be an address such as https://host.example.net"
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\s\"'\\]", value):
        return "must be an address such as https://host.example.net"
    return "must not hold a user or password" if parts.username or parts.password else None


def _duration(value: str) -> str | None:
    try:
        seconds(value)
    except ValueError as error:
        return str(error)
    return None


_CHECKS: Final[dict[str, Callable[[str], str | None]]] = {
    "text": lambda value: None,
    "choice": lambda value: None,
    "address": _address,
    "range": _range,
    "cidr": _cidr,
    "host": _host,
    "url": _url,
    "email": lambda value: None if _EMAIL.fullmatch(value) else "must be an e-mail address",
    "timezone": lambda value: None if _TIMEZONE.fullmatch(value) else "must be a time zone such as Europe/Paris",
    "duration": _duration,
    "size": lambda value: None if _SIZE.fullmatch(value) else "must be a size such as 10Gi",
}


def wrong(kind: OptionType, value: Any) -> str | None:
    """What is wrong with a value of this type, None when nothing is. Never repeats the value."""
    if kind == "switch":
        return None if isinstance(value, bool) else "must be true or false"
    if kind == "number":
        return None if isinstance(value, int) and not isinstance(value, bool) else "must be a whole number"
    if kind == "list":
        fine = isinstance(value, (list, tuple)) and all(isinstance(item, str) and item for item in value)
        return None if fine else "must be a list of texts"
    if not isinstance(value, str):
        return f"must be text{_hint(value)}"
    if "\n" in value or "\r" in value:
        return "must be one line"
    return _CHECKS[kind](value)


def _hint(value: Any) -> str:
    return "; put it in quotes" if isinstance(value, (bool, int, float)) else ""
