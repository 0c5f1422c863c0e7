"""What a page tells the reader to type works, in the order in which it stands there."""

from __future__ import annotations

import pytest
from prose import BLOCKS, PAGES, ROOT, Block, blocks

RUN = {"sh", "python", "yaml", "json", "text"}
"""What happens in a page's folder: commands, programs, and files (blocks with a title)."""

SLOW = {
    *("docs/agents.md", "docs/certification.md", "docs/corrections.md", "docs/library.md", "docs/models.md"),
}
"""Pages whose commands train several models; even tiny ones take their time."""

STEPS_OF_AN_INSTALLATION = {"docs/how-to/systemd.md", "systemd/README.md"}
"""Run by tests/systemd, in a root folder of its own."""


def _pages(*, slow: bool):
    runnable = [page for page in PAGES if str(page.relative_to(ROOT)) not in STEPS_OF_AN_INSTALLATION]
    names = [page for page in runnable if any(_is_run(block) for block in blocks(page))]
    return [
        pytest.param(page, id=str(page.relative_to(ROOT)))
        for page in names
        if slow == (str(page.relative_to(ROOT)) in SLOW)
    ]


def _is_run(block: Block) -> bool:
    return block.why_not is None and (block.language in {"sh", "python"} or block.title is not None)


def _run_page(page, fresh, finished):
    wants_a_model = any("models/reviews" in block.text for block in blocks(page) if _is_run(block))
    checkout = finished() if wants_a_model else fresh()
    for block in blocks(page):
        if not _is_run(block):
            continue
        if block.title is not None:
            checkout.write(block.title, block.text)
            continue
        done = checkout.shell(block.text) if block.language == "sh" else checkout.python(block.text)
        assert 0 == done.returncode, f"{block}\n{block.text}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", _pages(slow=False))
def test_a_page_s_commands_run_as_they_stand(page, fresh, finished):
    """Shell and Python blocks end well, one after the other, in a folder like the reader's."""
    _run_page(page, fresh, finished)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", _pages(slow=True))
def test_a_long_page_s_commands_run_as_they_stand(page, fresh, finished):
    """The same for pages that train model after model."""
    _run_page(page, fresh, finished)


def test_a_block_that_is_not_run_says_why_and_a_page_for_systemd_is_run_elsewhere():
    """Nothing escapes by its language: `bash` is for what changes the reader's machine, on the page that says so."""
    assert {"docs/how-to/systemd.md"} == {
        str(block.page.relative_to(ROOT)) for block in BLOCKS if block.language == "bash"
    }
    reasons = {block.why_not for block in BLOCKS if block.why_not}
    assert all(len(reason) > 5 for reason in reasons)
