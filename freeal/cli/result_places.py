"""Where the commands that train put what they made: looked at before anything is asked, filled when all is there."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from freeal.cli.print_results import print_outcome
from freeal.errors import ConfigError, Where
from freeal.files import output_folder
from freeal.files.output_file import OutputFile, output_file
from freeal.job import work_folder
from freeal.table.file_formats import form_of
from freeal.table.output_format import copy_in_form_of_name

_OF_A_MODEL = ("freeal.json",)


@dataclasses.dataclass(frozen=True, slots=True)
class ResultPlaces:
    """`model` gets the classifier, `results` beside it everything, `csv` the labelled rows where they are wanted."""

    model: Path
    results: Path
    csv: OutputFile | None

    @classmethod
    def of(
        cls, model: Path, *, output_csv: Path | None = None, inputs: Sequence[Path] = (), key: str = "--output-model"
    ) -> ResultPlaces:
        """Raises `ConfigError` where one of them is in use, or cannot be written to."""
        folder = output_folder.free_folder(model, key=key, ours=_OF_A_MODEL)
        beside = folder.with_name(folder.name + "-results")
        results = output_folder.free_folder(beside, key=key, ours=work_folder.OURS)
        csv = output_file(output_csv, key="--output-csv", inputs=inputs) if output_csv is not None else None
        if output_csv is not None and form_of(output_csv.name) == "parquet":
            hint = (
                "name a .csv or .xlsx; `python -m freeal export dataset` makes what `datasets` loads of a finished job"
            )
            raise ConfigError(
                "is Parquet, which predictions alone are written as",
                where=Where(file=output_csv, key="--output-csv"),
                hint=hint,
            )
        return cls(folder, results, csv)

    def held(self) -> AbstractContextManager[None]:
        """Both for this run alone."""
        return output_folder.held_output_folder(self.results)

    def deliver_results(self) -> None:
        """Copy out of the results what was wanted elsewhere. A model is there whole, or as it was before."""
        fresh = self.model.with_name(f".{self.model.name}.fresh")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(self.results / "model", fresh)
        if self.model.is_dir() and any(self.model.iterdir()):
            for entry in sorted(fresh.iterdir()):  # what a person put beside it stays
                if entry.is_dir():  # .eval_results: no folder can be put over one that holds something
                    shutil.rmtree(self.model / entry.name, ignore_errors=True)
                entry.replace(self.model / entry.name)
            fresh.rmdir()
        else:
            with contextlib.suppress(FileNotFoundError):
                self.model.rmdir()
            fresh.replace(self.model)
        if self.csv is not None:
            with self.csv.whole() as path:
                copy_in_form_of_name(self.results / "annotated.csv", path, name=self.csv.said.name)

    def tell_places(self, metrics: dict[str, Any], *, as_json: bool) -> None:
        """The figures, and where everything is; on stderr where stdout has the rows."""
        files = {
            "model": _near(self.model),
            "labelled_rows": str(self.csv.said) if self.csv else _near(self.results / "annotated.csv"),
            "all_results": _near(self.results),
        }
        to_stderr = self.csv is not None and self.csv.is_standard_output
        with contextlib.redirect_stdout(sys.stderr if to_stderr else sys.stdout):
            print_outcome(metrics, files, as_json=as_json)


def _near(path: Path) -> str:
    """As it is reached from here, where that is shorter."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)
