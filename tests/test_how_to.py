"""The how-to pages of the library run as they stand: their blocks one after the other, in a folder of their own."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path

import pytest

PAGES = Path(__file__).resolve().parents[1] / "docs" / "how-to"


def _run(page: str) -> dict[str, object]:
    """Every Python block of a page, in one namespace, `await` at the top as in a notebook."""
    names: dict[str, object] = {}

    async def cells():
        for number, block in enumerate(
            re.findall(r"^```python\n(.*?)^```", (PAGES / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        ):
            code = compile(block, f"{page}, block {number + 1}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            done = eval(code, names)  # noqa: S307 - our own pages
            if done is not None:
                await done

    asyncio.run(cells())
    return names


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def test_own_models_run_as_they_are_shown(capsys):
    """A language model and a student of ten lines each label the page's texts, and the model is loaded again."""
    assert ["negative", "positive"] * 20 == list(_run("own-models.md")["result"].frame["freeal_label"])
    assert "['positive']" in capsys.readouterr().out


@pytest.mark.slow
def test_the_notebook_page_runs_with_the_packaged_models():
    """Three lines, nothing but what is packaged: every text of the page has a label."""
    names = _run("notebook.md")
    assert 12 == names["result"].frame["freeal_label"].notna().sum()
    assert 2 == len(names["predicted"].labels)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_page_about_scikit_learn_runs_with_the_packaged_models(capsys):
    """Fitted without a label, and scored with the true ones in two folds."""
    assert ["negative", "positive"] == _run("scikit-learn.md")["classifier"].classes_.tolist()
    assert "[" in capsys.readouterr().out
