"""Review pages where something happens meanwhile: files go away, another answer comes, jobs go by."""

from __future__ import annotations

import csv
import os
import re

import pytest

from daemon.host.clock import Clock
from daemon.review.review_log import Person, ReviewLog

REVIEW = "/models/reviews/review"
QUEUE, SHEET, BOUNDARIES = f"{REVIEW}/queue", f"{REVIEW}/sheet", f"{REVIEW}/boundaries"
BEN = Person("b2", "Ben")


@pytest.fixture
def visitor(reviewed):
    """Anna's browser."""
    opened = reviewed.stage.open()
    with reviewed.stage.beside(reviewed.stage.live.errands.run):
        yield opened


@pytest.fixture
def log(reviewed):
    """What others say, as another process would write it down."""
    return ReviewLog(reviewed.folder, Clock())


def _fields(page):
    found = dict(re.findall(r'<input type="hidden" name="(number|key|seen|place)" value="([^"]*)"', page))
    return {name: value.replace("&#34;", '"') for name, value in found.items()}


def _say(visitor, path, **said):
    answer = visitor.post(path.partition("?")[0] + "/say", {**_fields(visitor.get(path).text), **said})
    assert 303 == answer.status_code, answer.text


def _table(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_an_index_of_rows_that_went_away_is_made_anew(visitor, reviewed):
    """Only so many are kept; the page that knew it as made had said 409 from then on."""
    assert 200 == visitor.get(QUEUE).status_code
    for _ in range(2):
        for path in (reviewed.stage.settings.state / "rows").glob("*.sqlite"):
            path.unlink()
        answer = visitor.get(QUEUE)
        assert answer.status_code in (200, 202), answer.text
        assert 200 == visitor.get(QUEUE).status_code


def test_the_index_that_is_looked_at_is_not_the_one_that_goes(visitor, reviewed):
    """Those that nobody looked at for longest go first, however old they are."""
    assert 200 == visitor.get(QUEUE).status_code
    [used] = (reviewed.stage.settings.state / "rows").glob("*.sqlite")
    os.utime(used, (1, 1))
    for number in range(12):
        (used.parent / f"other-{number}.sqlite").touch()
    inode = used.stat().st_ino
    assert 200 == visitor.get(QUEUE).status_code
    assert (12, inode) == (len(list(used.parent.glob("*.sqlite"))), used.stat().st_ino)
