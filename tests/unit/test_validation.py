"""A document against a model: all errors at once, each with its place, in words, never with a value."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator

from wizard import documents
from wizard.errors import InputError


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Oci(Strict):
    oci: str
    version: str


class Repo(Strict):
    repo: str
    chart: str
    version: str


def _which(value: Any) -> str:
    return "oci" if "oci" in value else "repo"


Tagged = Annotated[Annotated[Oci, Tag("oci")] | Annotated[Repo, Tag("repo")], Discriminator(_which)]
NUMBER = "must be text, but unquoted it is read as a number"


class Option(Strict):
    label: str
    kind: Literal["text", "number", "switch"] = "text"
    required: bool = False


class Entry(Strict):
    api_version: str = Field(alias="apiVersion")
    title: str
    source: Oci | Repo
    charts: dict[str, Option] = {}
    names: tuple[str, ...] = ()
    size: int = 0
    nested: list[Option] | None = None
    tagged: Tagged | None = None

    @field_validator("title")
    @classmethod
    def _short(cls, value: str) -> str:
        if len(value) > 20:
            raise ValueError("a title has at most 20 characters")
        return value


GOOD = "apiVersion: v1\ntitle: Fine\nsource: {oci: x, version: v1}\n"


def told(text: str) -> list[tuple[str, str, str]]:
    document = documents.load(text.encode(), name="f")
    with pytest.raises(InputError) as caught:
        documents.validate(document, Entry)
    return [(str(problem.place), problem.what, problem.remedy) for problem in caught.value.problems]


def test_a_good_document_is_its_model() -> None:
    found = documents.validate(documents.load(GOOD.encode(), name="f"), Entry)
    assert isinstance(found.source, Oci)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD + "titel: x\n", ("f:4:1", "unknown field `titel`", "did you mean `title`?")),
        (GOOD + "apiversion: x\n", ("f:4:1", "unknown field `apiversion`", "did you mean `apiVersion`?")),
        (GOOD + "charts: {a: {label: x, requird: on}}\n", ("f:4:24", "unknown field `charts.a.requird`", "did you mean `required`?")),
        (GOOD + "nested: [{label: x}, {label: x, zzz: 1}]\n", ("f:4:33", "unknown field `nested[1].zzz`", "")),
        (GOOD + "charts: {a: {}}\n", ("f:4:13", "`charts.a.label` is missing", "")),
        (
            GOOD + "charts: {a: {label: x, kind: txt}}\n",
            ("f:4:30", "`charts.a.kind` must be one of 'text', 'number' or 'switch'", "did you mean `text`?"),
        ),
        (GOOD + "names: [a, 010]\n", ("f:4:12", f"`names[1]` {NUMBER}", "put it in quotes")),
        (GOOD + "names: [a, on]\n", ("f:4:12", "`names[1]` must be text, but unquoted it is read as true or false", "put it in quotes")),
        (GOOD + "names: [a, ]\n" + "size: many\n", ("f:5:7", "`size` must be a whole number", "")),
        (GOOD + "names: x\n", ("f:4:8", "`names` must be a list", "")),
        (GOOD + "charts: [x]\n", ("f:4:9", "`charts` must be a mapping (name: value)", "")),
        (GOOD + "charts: {a: x}\n", ("f:4:13", "`charts.a` must be a mapping (name: value)", "")),
        (GOOD.replace("Fine", "x" * 21), ("f:2:8", "`title`: a title has at most 20 characters", "")),
        (
            GOOD.replace("version: v1", "version: 1.10"),
            ("f:3:27", f"`source.version` {NUMBER}", "put it in quotes"),
        ),
        (GOOD.replace("oci: x, ", ""), ("f:3:9", "`source.oci` is missing", "")),
        (GOOD + "tagged: {oci: x, versio: v1}\n", ("f:4:18", "unknown field `tagged.versio`", "did you mean `version`?")),
        ("- x\n", ("f:1:1", "the document must be a mapping (name: value)", "")),
    ],
)
def test_a_problem_in_words(text: str, problem: tuple[str, str, str]) -> None:
    assert problem in told(text)


def test_of_a_union_only_what_was_probably_meant_is_told() -> None:
    words = [what for _, what, _ in told(GOOD.replace("version: v1", "versio: v1"))]
    assert words == ["`source.version` is missing", "unknown field `source.versio`"]


def test_all_problems_in_the_order_of_the_file() -> None:
    places = [place for place, _, _ in told("apiVersion: 1\ntitel: x\nsource: {oci: x, version: 2}\nnames: [1, 2]\nsize: x\n")]
    assert places == ["f:1:1", "f:1:13", "f:2:1", "f:3:27", "f:4:9", "f:4:12", "f:5:7"]


def test_no_message_repeats_a_value() -> None:
    option = "{label: hunter2, kind: hunter2, required: hunter2}"
    words = told(GOOD + f"size: hunter2\ncharts: {{a: {option}}}\nnested: hunter2\nnames: hunter2\n")
    assert len(words) == 5
    assert "hunter2" not in str(words)
