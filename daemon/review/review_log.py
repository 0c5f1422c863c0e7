"""What people said on the page, as `models/<name>/review/answers.jsonl`: a line per answer, skip and undo, on the disk
before the next row is shown. Nothing in it is ever changed; what holds is found by reading it from the start.

A line that a crash cut off is left out when it is read, and ended before the next one is written.
"""

from __future__ import annotations

import dataclasses
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from daemon.errors import RefusedFileError
from daemon.host.clock import Clock
from daemon.outbox.durable_file_moves import make_folder
from freeal.errors import Where
from freeal.files.atomic_write import sync

Kind = Literal["queue", "sheet", "boundary"]
FOLDER, FILE_NAME = "review", "answers.jsonl"
MOST_NOTE_CHARACTERS = 2_000


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """Who says something: `id` stands for a browser, `name` is what they call themselves, "" where they do not."""

    id: str
    name: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """What holds of one thing that was asked. `said` is None where it was skipped; `about` is what was shown."""

    key: str
    said: Any
    note: str
    person: Person
    at: float
    about: Mapping[str, Any]

    @property
    def in_words(self) -> str:
        """A label as it was said; of a boundary answer (label -> is, is_not) what was filled in."""
        if isinstance(self.said, str):
            return self.said
        return "; ".join(
            f"{label} {word.replace('_', ' ')} {side[word]}"
            for label, side in self.said.items()
            for word in ("is", "is_not")
            if side.get(word)
        )


@dataclasses.dataclass(frozen=True, slots=True)
class HandedIn:
    """Answers that a file was made of, and that was put where the service takes it."""

    file: str
    at: float
    said: Mapping[str, Said]


@dataclasses.dataclass(slots=True)
class _Kept:
    """The log of one kind, read. `by_key` holds what was said of a thing, the last of it counts."""

    by_key: dict[str, list[Said]] = dataclasses.field(default_factory=dict)
    handed_in: list[HandedIn] = dataclasses.field(default_factory=list)


class ReviewLog:
    """The log of one model. Its methods block on the disk: call them in a thread."""

    def __init__(self, model_folder: Path, clock: Clock) -> None:
        self._model_folder = model_folder
        self._path = model_folder / FOLDER / FILE_NAME
        self._clock = clock
        self._mutex = threading.RLock()
        self._read_up_to: tuple[int, int] | None = None
        self._kept: dict[str, _Kept] = {}

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._path

    def said(self, kind: Kind) -> dict[str, Said]:
        """What holds and was not handed in yet, by key, in the order it was first spoken of."""
        with self._mutex:
            return {key: told[-1] for key, told in self._read_log(kind).by_key.items() if told}

    def handed_in(self, kind: Kind) -> list[HandedIn]:
        """The files that were made of answers, the newest first."""
        with self._mutex:
            return self._read_log(kind).handed_in[::-1]

    def handed_in_keys(self, kind: Kind) -> set[str]:
        """What the answers in those files are about."""
        return {key for batch in self.handed_in(kind) for key in batch.said}

    def last_of(self, kind: Kind, person: Person) -> Said | None:
        """What this person said last and could take back."""
        own = (one for one in self.said(kind).values() if one.person.id == person.id)
        return max(own, key=lambda one: one.at, default=None)

    def log_said(
        self, kind: Kind, key: str, person: Person, *, said: Any, note: str = "", about: Mapping[str, Any] | None = None
    ) -> None:
        """Write down what somebody says; `said` None: skipped. It is on the disk when this returns."""
        fields = {"key": key, "said": said, "note": note[:MOST_NOTE_CHARACTERS], "about": dict(about or {})}
        self._write_log_line({"do": "skip" if said is None else "answer", "kind": kind, **_by(person), **fields})

    def undo_last_said(self, kind: Kind, person: Person) -> str | None:
        """Take back what this person said last; its key, None where there is nothing to take back."""
        with self._mutex:
            last = self.last_of(kind, person)
            if last is not None:
                self._write_log_line({"do": "undo", "kind": kind, **_by(person), "key": last.key})
            return None if last is None else last.key

    def take_back(self, kind: Kind, person: Person, *, file: str) -> None:
        """The answers in that file hold again as if it had never been made: its job came to nothing."""
        self._write_log_line({"do": "take back", "kind": kind, **_by(person), "file": file})

    def hand_in(self, kind: Kind, person: Person, given: Mapping[str, float], *, file: str) -> None:
        """These answers (key -> when it was said) became a file; what was said since stays open."""
        self._write_log_line(
            {"do": "hand in", "kind": kind, **_by(person), "keys": dict(sorted(given.items())), "file": file}
        )

    def forget(self, kind: Kind, person: Person) -> None:
        """Nothing that was said of this kind holds any longer: another sheet is begun."""
        self._write_log_line({"do": "forget", "kind": kind, **_by(person)})

    def forget_handed_in(self, kind: Kind, person: Person) -> None:
        """What was handed in counts no longer, what is open does: a figure was withdrawn, and a sheet is drawn anew."""
        self._write_log_line({"do": "forget handed in", "kind": kind, **_by(person)})

    def _read_log(self, kind: str) -> _Kept:
        """The log as it stands: read again where somebody else wrote into it."""
        try:
            seen = self._path.stat()
            mark = (seen.st_ino, seen.st_size)
        except FileNotFoundError:
            mark = None
        if mark != self._read_up_to:
            self._kept = {}
            if mark is not None:
                self._refuse_links()
                with self._path.open("rb") as stream:
                    for line in stream.read(mark[1]).split(b"\n"):
                        self._take_log_line(line)
            self._read_up_to = mark
        return self._kept.setdefault(kind, _Kept())

    def _take_log_line(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            kept = self._kept.setdefault(str(event["kind"]), _Kept())
            _apply_log_line(event, kept)
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # cut off by a crash, or not ours

    def _write_log_line(self, event: dict[str, Any]) -> None:
        with self._mutex:
            self._read_log(event["kind"])
            self._refuse_links()
            make_folder(self._path.parent)
            is_new = not self._path.exists()
            line = json.dumps({"at": self._clock.wall(), **event}, ensure_ascii=False).encode(errors="replace") + b"\n"
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o644)
            try:
                size = os.fstat(descriptor).st_size
                is_cut_off = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
                _write_whole(descriptor, b"\n" + line if is_cut_off else line)
                os.fsync(descriptor)
                seen = os.fstat(descriptor)
            finally:
                os.close(descriptor)
            if is_new:
                sync(self._path.parent)
            self._take_log_line(line)
            self._read_up_to = (seen.st_ino, seen.st_size)

    def _refuse_links(self) -> None:
        for place in (self._model_folder, self._path.parent, self._path):
            if place.is_symlink():
                raise RefusedFileError("is a link, and would lead elsewhere", where=Where(file=place))


def _apply_log_line(event: dict[str, Any], kept: _Kept) -> None:
    """What one line of the log changes."""
    wish = event["do"]
    if wish in ("answer", "skip"):
        person = Person(str(event["by"]), str(event.get("name", "")))
        said = None if wish == "skip" else event["said"]
        one = Said(str(event["key"]), said, str(event["note"]), person, float(event["at"]), event["about"])
        kept.by_key.setdefault(one.key, []).append(one)
    elif wish == "undo":
        if told := kept.by_key.get(str(event["key"])):
            told.pop()
    elif wish == "hand in":
        given = {key: gone for key, at in event["keys"].items() if (gone := _take_said_out(kept, key, at))}
        kept.handed_in.append(HandedIn(str(event["file"]), float(event["at"]), given))
    elif wish == "take back":
        for batch in [one for one in kept.handed_in if one.file == event["file"]]:
            kept.handed_in.remove(batch)
            for key, one in batch.said.items():
                kept.by_key.setdefault(key, []).insert(0, one)
    elif wish == "forget handed in":
        kept.handed_in.clear()
    elif wish == "forget":
        kept.by_key.clear()
        kept.handed_in.clear()


def _take_said_out(kept: _Kept, key: str, at: float) -> Said | None:
    """Take out what was said then, and what it outdid; None where it was undone meanwhile."""
    told = kept.by_key.get(key, [])
    last = max((place for place, one in enumerate(told) if one.at == at), default=None)
    if last is None:
        return None
    kept.by_key[key] = told[last + 1 :]
    return told[last]


def _by(person: Person) -> dict[str, str]:
    return {"by": person.id, "name": person.name} if person.name else {"by": person.id}


def _write_whole(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
