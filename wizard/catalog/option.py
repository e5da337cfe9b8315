"""Options of a chart and the settings it reads: what an operator may choose, typed, with the place it is written to."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StrictBool, StrictInt, model_validator

from wizard.catalog.kinds import OptionType, wrong
from wizard.catalog.paths import target


class Entry(BaseModel):
    """Base of everything a catalog file holds: unknown fields are refused, nothing changes once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else [] if value is None else value


def _paths(value: tuple[str, ...]) -> tuple[str, ...]:
    for path in value:
        target(path)
    return value


def _pattern(value: str | None) -> str | None:
    if value is not None:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
    return value


Paths = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_paths)]
"""One path or a list of them, read as a tuple."""
Pattern = Annotated[str | None, AfterValidator(_pattern)]


class Option(Entry):
    """One thing to choose about a chart."""

    type: OptionType
    label: str
    help: str = ""
    default: StrictBool | StrictInt | str | tuple[str, ...] | None = None
    """What is written when nothing is chosen; may hold `${setting}`. None: nothing is written, the chart's own default holds."""
    choices: tuple[str, ...] = ()
    pattern: Pattern = None
    minimum: StrictInt | None = None
    maximum: StrictInt | None = None
    required: StrictBool = False
    needs: str | None = None
    """A switch of the same chart that must be on when this one is."""
    sets: Paths = ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if (self.type == "choice") != bool(self.choices):
            raise ValueError("`choices` belong to type choice and only there")
        if self.default is not None and "${" not in str(self.default) and (problem := self.problem(self.default)):
            raise ValueError(f"its default {problem}")
        return self

    def problem(self, value: Any) -> str | None:
        """What is wrong with a value given for this option, None when nothing is."""
        if problem := wrong(self.type, value):
            return problem
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}"
        if self.pattern and isinstance(value, str) and not re.fullmatch(self.pattern, value):
            return f"does not match {self.pattern}"
        if isinstance(value, int) and not isinstance(value, bool):
            if self.minimum is not None and value < self.minimum:
                return f"must be at least {self.minimum}"
            if self.maximum is not None and value > self.maximum:
                return f"must be at most {self.maximum}"
        return None


class Setting(Entry):
    """A value of the operator's own (an address, a name) that a chart reads as `${name}` or in the text of a secret."""

    type: OptionType
    label: str
    help: str = ""
    pattern: Pattern = None

    def problem(self, value: str) -> str | None:
        """What is wrong with a setting, None when nothing is."""
        if problem := wrong(self.type, value):
            return problem
        return f"does not match {self.pattern}" if self.pattern and not re.fullmatch(self.pattern, value) else None
