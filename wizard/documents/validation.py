"""A document against a pydantic model: every error as a problem with its place, in words, with the name that was meant."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from wizard.documents.loader import Document
from wizard.errors import InputError, Problem
from wizard.text import clean, closest

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

    M = TypeVar("M", bound=BaseModel)

Loc = tuple[str | int, ...]


def validate(document: Document, model: type[M], *, context: Any = None) -> M:
    """The document as an instance of `model`; InputError with all problems at once.

    No message repeats a value of the document: any of them may be a secret written where none belongs.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(document.value, context=context)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    located = [(*_path(document.value, detail), detail) for detail in details]
    problems = [_problem(document, model, path, is_key, detail) for path, _, is_key, detail in _likeliest(located)]
    unique = {(problem.what, problem.place): problem for problem in problems}
    raise InputError(sorted(unique.values(), key=lambda p: (p.place.line or 0, p.place.column or 0) if p.place else (0, 0)))


def _path(value: Any, detail: ErrorDetails) -> tuple[Loc, Loc, bool]:
    """Splits pydantic's location into the path in the document, the names of union branches in it, and whether it is a key."""
    loc = detail["loc"]
    is_key = bool(loc) and loc[-1] == "[key]"
    path, branches = _walk(value, loc[:-1] if is_key else loc, detail["type"] == "missing")
    return path, branches, is_key


def _walk(value: Any, loc: Loc, missing: bool) -> tuple[Loc, Loc]:
    """A branch may be named like a key beside it (`oci`): of both readings the one that explains more steps is taken, then the one
    that explains the last step."""
    if not loc:
        return (), ()
    step, rest = loc[0], loc[1:]
    readings: list[tuple[Loc, Loc]] = []
    named = isinstance(value, dict) and step in value
    if named or (isinstance(value, list) and isinstance(step, int) and step < len(value)):
        path, branches = _walk(value[step], rest, missing)
        readings.append(((step, *path), branches))
    elif missing and not rest and isinstance(value, dict):
        readings.append(((step,), ()))
    if not named or rest:
        path, branches = _walk(value, rest, missing)
        readings.append((path, (step, *branches)))
    return max(readings, key=lambda reading: (len(reading[0]), bool(reading[0]) and reading[0][-1] == loc[-1]))


_Located = tuple[Loc, Loc, bool, "ErrorDetails"]


def _likeliest(located: list[_Located]) -> list[_Located]:
    """Of the branches of a union only the one that fits best: an operator meant one of them, not all."""
    counts: dict[Loc, int] = {}
    for _, branches, _, _ in located:
        if branches:
            counts[branches] = counts.get(branches, 0) + 1
    best = min(counts.values(), default=0)
    chosen = next((branches for branches, count in counts.items() if count == best), ())
    return [item for item in located if not item[1] or item[1] == chosen]


def _problem(document: Document, model: type[BaseModel], path: Loc, is_key: bool, detail: ErrorDetails) -> Problem:
    kind = detail["type"]
    name = _spoken(path)
    place = document.key_place(*path) if is_key else document.place(*path)
    context = detail.get("ctx", {})
    if kind == "missing":
        return Problem(f"{name} is missing", document.place(*path[:-1]))
    if kind == "extra_forbidden":
        meant = closest(str(path[-1]), _fields(model, path[:-1])) if path else None
        return Problem(f"unknown field {name}", document.key_place(*path), f"did you mean `{meant}`?" if meant else "")
    if kind == "string_type" and document.plain(*path) is not None:
        return Problem(f"{name} must be text, but unquoted it is read as {_read_as(document, path)}", place, "put it in quotes")
    if kind in ("literal_error", "enum"):
        return Problem(
            f"{name} must be one of {context.get('expected', '')}", place, _nearest_word(document, path, str(context.get("expected", "")))
        )
    if kind in ("value_error", "assertion_error"):
        return Problem(f"{name}: {clean(context.get('error', detail['msg']))}", place)
    return Problem(f"{name} {_WORDS[kind]}" if kind in _WORDS else f"{name}: {clean(detail['msg'])}", place)


_WORDS = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping (name: value)",
    "mapping_type": "must be a mapping (name: value)",
    "model_type": "must be a mapping (name: value)",
    "model_attributes_type": "must be a mapping (name: value)",
}


def _spoken(path: Loc) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return f"`{clean(text, limit=120)}`" if text else "the document"


def _read_as(document: Document, path: Loc) -> str:
    value = _get(document.value, path)
    if value is None:
        return "nothing (null)"
    return "true or false" if isinstance(value, bool) else "a number"


def _get(value: Any, path: Loc) -> Any:
    for step in path:
        value = value[step]
    return value


def _nearest_word(document: Document, path: Loc, expected: str) -> str:
    value = _get(document.value, path)
    words = [part.strip(" '") for part in expected.replace(" or ", ",").split(",")]
    meant = closest(value, words) if isinstance(value, str) else None
    return f"did you mean `{meant}`?" if meant else ""


def _fields(model: Any, path: Loc) -> list[str]:
    """The names that are known at `path`."""
    found: list[Any] = [model]
    for step in path:
        found = [inner for one in found for inner in _inside(one, step)]
    names: list[str] = []
    for one in found:
        for candidate in _models(one):
            names += [info.alias or field for field, info in candidate.model_fields.items()]
    return names


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    from pydantic import BaseModel

    if isinstance(annotation, type) and not typing.get_origin(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated):
        for inner in typing.get_args(annotation):
            yield from _models(inner)


def _inside(annotation: Any, step: str | int) -> Iterator[Any]:
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        for inner in arguments:
            yield from _inside(inner, step)
    elif origin is typing.Annotated:
        yield from _inside(arguments[0], step)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield arguments[1]
    elif isinstance(origin, type) and issubclass(origin, (list, tuple)):
        yield arguments[0]
    else:
        for model in _models(annotation):
            for name, info in model.model_fields.items():
                if step in (name, info.alias):
                    yield cast(Any, info.annotation)
