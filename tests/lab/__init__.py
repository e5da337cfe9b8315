"""The lab: a real control plane, real Flux and a real Git and OCI server on loopback. `Lab.up(name)` and everything a test does with it."""

from tests.lab.lab import Lab, LabError

__all__ = ["Lab", "LabError"]
