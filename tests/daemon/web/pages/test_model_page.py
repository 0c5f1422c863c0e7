"""A model's versions on its page."""

from __future__ import annotations

import shutil


def _two(stage):
    folder = stage.model()
    newer = next((folder / "versions").iterdir())
    older = newer.with_name("reviews-20200101-000000-abcdef")
    shutil.copytree(newer, older)
    return folder, newer.name, older.name


def test_an_earlier_version_is_made_current_by_its_button(stage):
    """The link, and what lies on top, are its own; the button is beside the others only."""
    folder, newer, older = _two(stage)
    visitor = stage.open()
    page = visitor.get("/models/reviews").text
    assert (1, True) == (page.count("Use this version"), f"/versions/{older}/use" in page)
    answer = visitor.post(f"/models/reviews/versions/{older}/use", {})
    assert 303 == answer.status_code
    assert f"versions/{older}/model" == str((folder / "model").readlink())
    assert f"/versions/{newer}/use" in visitor.get("/models/reviews").text


def test_one_who_may_only_look_rolls_nothing_back(stage):
    """To look is free, to act is not."""
    folder, newer, older = _two(stage)
    onlooker = stage.open(host="0.0.0.0")  # noqa: S104
    assert 403 == onlooker.post(f"/models/reviews/versions/{older}/use", {}).status_code
    assert f"versions/{newer}/model" == str((folder / "model").readlink())


def test_a_version_that_is_not_listed_is_not_used(stage):
    """A name from an address never becomes a path."""
    folder, newer, _ = _two(stage)
    assert 404 == stage.open().post("/models/reviews/versions/..%2f..%2fx/use", {}).status_code
    assert f"versions/{newer}/model" == str((folder / "model").readlink())
