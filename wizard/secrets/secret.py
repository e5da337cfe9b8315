"""`Secret`: a value that does not come out by accident."""

from __future__ import annotations

from typing import Any, NoReturn

from wizard.errors import InputError

MASK = "Secret(******)"


class Secret:
    """A secret text. Only `reveal` gives it out, and a test allows that call in the few modules where values must end.

    Printing, formatting, pickling, copying, comparing and iterating are errors: each of them has once put a password into a
    log or a file. `repr` is a mask, for tracebacks and debuggers. The length may be shown.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str | bytes) -> None:
        if isinstance(value, bytes):
            try:
                value = value.decode()
            except UnicodeDecodeError as error:
                raise InputError(f"the secret value is not UTF-8 text (byte {error.start})", remedy="give it as base64") from None
        self.__value = value

    def reveal(self) -> str:
        """The value; for sinks only."""
        return self.__value

    def __len__(self) -> int:
        return len(self.__value)

    def __repr__(self) -> str:
        return MASK

    def __rich_repr__(self) -> Any:
        yield "******"

    def __str__(self) -> NoReturn:
        raise TypeError("a Secret cannot be printed")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("a Secret cannot be formatted")

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("a Secret cannot be compared")

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> NoReturn:
        raise TypeError("a Secret cannot be iterated")

    def __contains__(self, item: object) -> NoReturn:
        raise TypeError("a Secret cannot be searched")

    def __copy__(self) -> NoReturn:
        raise TypeError("a Secret cannot be copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise TypeError("a Secret cannot be copied")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")

    def __setattr__(self, name: str, value: object) -> None:
        if name != "_Secret__value" or hasattr(self, name):
            raise AttributeError("a Secret cannot be changed")
        object.__setattr__(self, name, value)
