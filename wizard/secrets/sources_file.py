"""The format of `sources.yaml`; apart from `sources` because pydantic is heavy and most commands never read the file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from wizard.secrets.sources import CMD_SECONDS, Source


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FileEntry(_Strict):
    """A file of this machine."""

    file: str = Field(min_length=1)

    def source(self) -> Source:
        return Source("file", self.file)


class CommandEntry(_Strict):
    """A program that prints the value, as a list of arguments: there is no shell."""

    cmd: list[str] = Field(min_length=1)
    timeoutSeconds: float = Field(default=CMD_SECONDS, gt=0, le=300)
    env: list[str] = []

    def source(self) -> Source:
        return Source("cmd", argv=tuple(self.cmd), seconds=self.timeoutSeconds, keep=tuple(self.env))


def _which(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    return "file" if isinstance(value, dict) and "file" in value else "cmd"


Entry = Annotated[
    Annotated[str, Tag("text")] | Annotated[FileEntry, Tag("file")] | Annotated[CommandEntry, Tag("cmd")],
    Discriminator(_which),
]


class SourcesFile(_Strict):
    """`sources.yaml` as a whole."""

    apiVersion: Literal["tierup/v1"]
    kind: Literal["SecretSources"]
    sources: dict[str, Entry] = {}
