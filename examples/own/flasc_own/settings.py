"""The keys of the task `csv`. Imports no torch, so that `flasc-emu check` stays fast."""

import hashlib
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PrivateAttr, computed_field, model_validator
from typing_extensions import Self

from flasc.tasks.settings import Model, Split, TaskSettings, Tokens


class Csv(TaskSettings):
    """Classes of texts from a CSV file with the columns `text` and `label`."""

    implementation: ClassVar[str] = "flasc_own.task:load"

    name: Literal["csv"]
    # A recording is identified by the content of the file, not by its path.
    file: Annotated[str, Field(exclude=True)]
    model: Model = "minilm"
    tokens: Tokens = 128
    split: Split = Split()
    _sha256: str = PrivateAttr()

    @model_validator(mode="after")
    def _read(self) -> Self:
        try:
            self._sha256 = hashlib.sha256(Path(self.file).read_bytes()).hexdigest()
        except OSError as error:
            raise ValueError(f"{self.file}: cannot be read: {error.strerror}") from None
        return self

    @computed_field  # type: ignore[prop-decorator]  # mypy does not support this use of pydantic
    @property
    def sha256(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return self._sha256
