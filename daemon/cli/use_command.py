"""`use JOB`: makes an earlier version of a model the current one, without a run; later predictions are its work.

Beside a running service it is safe: a version becomes the current one by one rename, and predictions under way stay
with the version they began with.
"""

from __future__ import annotations

import dataclasses
import difflib

from daemon.config import Settings
from daemon.errors import UnknownJobError
from daemon.outbox.model_shelf import shelves


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """The current version of a model, and the one before: the same where nothing had to be done."""

    model: str
    version: str
    before: str | None

    @property
    def in_a_sentence(self) -> str:
        """What the command `use` did, in a sentence."""
        if self.before == self.version:
            return f"{self.version} is the current version of {self.model!r} already"
        return (
            f"{self.version} is now the current version of {self.model!r}; before it was {self.before or 'none'}. "
            "Corrections and training go on from it: what was said or trained after it is in the other versions only"
        )

    def as_dict(self) -> dict[str, str | None]:
        """For JSON."""
        return dataclasses.asdict(self)


def use_version(settings: Settings, job_id: str) -> Use:
    """Make the version of a job current. Raises `UnknownJobError` where no model has it, `OSError`."""
    shelf = next((one for one in shelves(settings.models) if job_id in one.version_names()), None)
    if shelf is None:
        raise _unknown_version(settings, job_id)
    before = shelf.current
    if before != job_id:
        shelf.use(job_id)
    return Use(shelf.name, job_id, before)


def _unknown_version(settings: Settings, job_id: str) -> UnknownJobError:
    known = {name: shelf for shelf in shelves(settings.models) for name in shelf.version_names()}
    own = next((shelf for shelf in shelves(settings.models) if shelf.name == job_id), None)
    if own is not None:
        names = ", ".join(f"{name}{' (current)' if name == own.current else ''}" for name in own.version_names())
        return UnknownJobError(f"{job_id!r} is a model: name one of its versions", hint=names or "it has none")
    near = difflib.get_close_matches(job_id, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "versions stand in models/NAME/versions/"
    return UnknownJobError(f"no model has a version {job_id!r}", hint=hint)
