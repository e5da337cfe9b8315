"""Bytes of a YAML file to plain values, with the place of each and everything doubtful refused.

Works on the event stream of PyYAML's C parser: no objects are composed, so neither tags nor anchors nor nesting can do harm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml._yaml import CParser

from wizard.documents.characters import CONTROL, DECEPTIVE, MOST_PROBLEMS, decode, forbidden, forbidden_in
from wizard.documents.scalars import Unreadable, resolve
from wizard.errors import InputError, Place, Problem

DEEPEST = 32

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Mark:
    line: int
    column: int
    plain: str | None = None
    """The text of an unquoted scalar as it was written."""


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file as plain values (dict, list, str, int, float, bool, None) that knows where each of them stands."""

    name: str
    value: Any
    _values: dict[Path, _Mark] = field(repr=False)
    _keys: dict[Path, _Mark] = field(repr=False)

    def place(self, *path: str | int) -> Place:
        """Where the value at `path` stands; of what is not there, the nearest value around it."""
        return self._find(self._values, path)

    def key_place(self, *path: str | int) -> Place:
        """Where the key of the value at `path` stands; for an item of a list, the item."""
        return self._find(self._keys if path in self._keys else self._values, path)

    def plain(self, *path: str | int) -> str | None:
        """How an unquoted scalar was written (`1.10`), None for anything else."""
        mark = self._values.get(path)
        return mark.plain if mark else None

    def _find(self, marks: dict[Path, _Mark], path: Path) -> Place:
        while path and path not in marks:
            path, marks = path[:-1], self._values
        mark = marks.get(path)
        return Place(self.name, mark.line, mark.column) if mark else Place(self.name)


def load(data: bytes, *, name: str, limit: int = 256 * 1024) -> Document:
    """Read one YAML document strictly; `name` is what messages call the file, `limit` its largest size in bytes.

    Scalars are read as Helm and Kubernetes read them. InputError lists every problem with its line and column: syntax,
    duplicate keys, anchors, tags, merge keys, several documents, nesting deeper than 32, control and bidi characters.
    No message repeats what the file holds, since it may be a secret.
    """
    text = decode(data, name, limit)
    reader = _Reader(name)
    reader.problems += forbidden_in(text, name)
    if not reader.problems:
        reader.read(text)
    if reader.problems:
        raise InputError(reader.problems[:MOST_PROBLEMS])
    return Document(name, reader.value, reader.values, reader.keys)


@dataclass(slots=True)
class _Level:
    """A mapping or list that is still open."""

    path: Path
    value: dict[str, Any] | list[Any]
    key: str | None = None
    keyed: bool = False
    skipped: int = 0


class _Reader:
    """Turns events into values. After a problem it goes on where it can, so that all are told at once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self.values: dict[Path, _Mark] = {}
        self.keys: dict[Path, _Mark] = {}
        self.value: Any = None
        self.levels: list[_Level] = []

    def problem(self, what: str, mark: Any, remedy: str = "") -> None:
        self.problems.append(Problem(what, Place(self.name, mark.line + 1, mark.column + 1), remedy))

    def read(self, text: str) -> None:
        parser = CParser(text)
        documents = 0
        try:
            while len(self.problems) < MOST_PROBLEMS:
                event: Any = parser.get_event()
                kind = type(event)
                if kind is yaml.ScalarEvent:
                    self.scalar(event)
                elif kind is yaml.MappingStartEvent:
                    self.open(event, {})
                elif kind is yaml.SequenceStartEvent:
                    self.open(event, [])
                elif kind in (yaml.MappingEndEvent, yaml.SequenceEndEvent):
                    self.levels.pop()
                elif kind is yaml.AliasEvent:
                    self.problem("aliases are not allowed", event.start_mark, "write the value out")
                    self.add(None, event.start_mark, None)
                elif kind is yaml.DocumentStartEvent:
                    documents += 1
                    if event.version or event.tags:
                        self.problem("directives are not allowed", event.start_mark, "remove the line that starts with %")
                    if documents > 1:
                        self.problem("a second document starts here", event.start_mark, "one file holds one document")
                        return
                elif kind is yaml.StreamEndEvent:
                    break
            if self.value is None and not self.problems:
                self.problems.append(Problem("the file is empty", Place(self.name)))
        except _TooDeep:
            return
        except yaml.MarkedYAMLError as error:
            self.syntax(error, text)
        except yaml.YAMLError:
            self.problems.append(Problem("the file is not YAML", Place(self.name)))
        finally:
            parser.dispose()

    def syntax(self, error: yaml.MarkedYAMLError, text: str) -> None:
        mark = error.problem_mark or error.context_mark
        if mark is None:
            self.problems.append(Problem("the file is not YAML", Place(self.name)))
            return
        lines = text.splitlines()
        line = lines[mark.line] if mark.line < len(lines) else ""
        remedy = "indent with spaces, not with a tab" if "\t" in line[: mark.column + 1] else ""
        context = f" {error.context}" if error.context else ""
        self.problem(f"not YAML: {error.problem}{context}", mark, remedy)

    def marks(self, event: Any) -> None:
        if event.anchor is not None:
            self.problem("anchors are not allowed", event.start_mark, "write the value out where it is needed")
        if event.tag is not None:
            self.problem("tags are not allowed", event.start_mark, "remove the word that starts with !")

    def scalar(self, event: Any) -> None:
        self.marks(event)
        text = event.value
        plain = event.implicit[0]
        level = self.levels[-1] if self.levels else None
        if level is not None and not level.keyed and isinstance(level.value, dict):
            self.key(level, text, plain, event.start_mark)
            return
        value: Any = text
        if plain:
            try:
                value = resolve(text)
            except Unreadable as error:
                self.problem(str(error), event.start_mark, "put it in quotes if it is meant as text")
        else:
            self.characters(text, event.start_mark)
        self.add(value, event.start_mark, text if plain else None)

    def characters(self, text: str, mark: Any) -> None:
        if not text.isprintable() and (found := CONTROL.search(text) or DECEPTIVE.search(text)):
            self.problem(forbidden(found[0]), mark)

    def key(self, level: _Level, text: str, plain: bool, mark: Any) -> None:
        if plain:
            try:
                meant = resolve(text)
            except Unreadable as error:
                meant = text
                self.problem(str(error), mark, "" if text == "<<" else "put the key in quotes")
            if not isinstance(meant, str) and (type(meant) is not int or str(meant) != text):
                self.problem("a key must be text, this one would be read as something else", mark, "put the key in quotes")
        else:
            self.characters(text, mark)
        level.key, level.keyed = text, True
        path = (*level.path, text)
        if path in self.keys:
            first = self.keys[path].line
            self.problem(f"duplicate key, first on line {first}", mark, "keep one of the two")
        else:
            self.keys[path] = _Mark(mark.line + 1, mark.column + 1)

    def open(self, event: Any, value: dict[str, Any] | list[Any]) -> None:
        self.marks(event)
        if len(self.levels) >= DEEPEST:
            self.problem(f"nested deeper than {DEEPEST}", event.start_mark)
            raise _TooDeep
        level = self.levels[-1] if self.levels else None
        if level is not None and not level.keyed and isinstance(level.value, dict):
            self.problem("a key must be text, not a list or a mapping", event.start_mark)
            level.key, level.keyed = f"\0{len(self.problems)}", True
            # What belongs to the broken key is read into a corner of its own so that the rest can still be checked.
            self.levels.append(_Level((*level.path, level.key, "\0key"), value))
            return
        self.levels.append(_Level(self.add(value, event.start_mark, None), value))

    def add(self, value: Any, mark: Any, plain: str | None) -> Path:
        level = self.levels[-1] if self.levels else None
        path: Path
        if level is None:
            path, self.value = (), value
        elif isinstance(level.value, list):
            path = (*level.path, len(level.value))
            level.value.append(value)
        else:
            if not level.keyed:  # an alias as a key: already told
                level.key, level.keyed = f"\0{len(self.problems)}", True
                return level.path
            path = (*level.path, str(level.key))
            level.value.setdefault(str(level.key), value)
            level.keyed = False
        if path not in self.values:
            self.values[path] = _Mark(mark.line + 1, mark.column + 1, plain)
        return path


class _TooDeep(Exception):
    """Stops the reading; the problem is already noted."""
