"""What a restart finds: settled item by item, each folder listed once however many items there are."""

from __future__ import annotations

import sys

import pytest

from daemon.journal.journal import Journal
from daemon.journal.prediction_record import Prediction
from daemon.journal.work_folder import Workplace
from daemon.limits.daily_spend import Purse
from daemon.recovery.restart_recovery import Recovery


class Listings:
    """Counts how often each folder is listed, while it is on; an audit hook cannot be taken off again."""

    def __init__(self):
        self.seen = {}
        self.is_on = False
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if self.is_on and event in {"os.listdir", "os.scandir"}:
            self.seen[str(arguments[0])] = self.seen.get(str(arguments[0]), 0) + 1


def _recovery(settings, journal, hands):
    return Recovery(settings, journal, purse=Purse(journal, hands.clock), time=hands.clock)


def _claimed(settings, journal, count):
    for number in range(count):
        one = Prediction(id=f"p-{number}", model="m", csv_name="x.csv", created_at=number, updated_at=number)
        journal.add_prediction(one)
        inputs = Workplace(settings, one.id).inputs
        inputs.mkdir(parents=True)
        (inputs / "x.csv").write_text("text\nfine\n")


@pytest.mark.parametrize("count", [3, 60])
def test_each_shelf_is_listed_once_however_many_predictions_were_claimed(settings, journal, hands, count):
    """Asking a folder for each of thousands of predictions took minutes."""
    _claimed(settings, journal, count)
    (settings.models / "m" / "failed").mkdir(parents=True)
    (settings.models / "m" / "predict").mkdir()
    listings = Listings()
    listings.is_on = True
    _recovery(settings, journal, hands).run()
    listings.is_on = False
    assert count == len(journal.claimed_predictions())
    of_the_shelf = {folder: times for folder, times in listings.seen.items() if folder.startswith(str(settings.models))}
    assert set(of_the_shelf.values()) <= {1, 2, 3}, of_the_shelf
    assert sum(times for folder, times in listings.seen.items() if "p-" in folder) == 0


def test_what_was_claimed_and_is_nowhere_is_struck_out_alone(settings, journal, hands):
    """Reading ahead finds nothing there; the others are kept."""
    _claimed(settings, journal, 3)
    (Workplace(settings, "p-1").inputs / "x.csv").unlink()
    _recovery(settings, journal, hands).run()
    assert ["p-0", "p-2"] == [one.id for one in journal.claimed_predictions()]
    with Journal(settings.state, hands.clock) as again:
        assert not again.has_prediction("p-1")
