"""Strict YAML: read with the place of every value, written so that no reader mistakes a string, checked against models."""

from __future__ import annotations

from wizard.documents.emitter import dump
from wizard.documents.loader import Document, load
from wizard.documents.validation import validate

__all__ = ["Document", "dump", "load", "validate"]
