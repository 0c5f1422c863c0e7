"""Pictures as text: what is drawn where."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeal.evaluation.confidence_intervals import wilson
from freeal.report.charts import axes, palette
from freeal.report.charts.bar_chart import shares_chart
from freeal.report.charts.confusion_matrix import confusion_chart
from freeal.report.charts.histogram import histogram_chart
from freeal.report.markup_elements import element
from freeal.report.report_data import Confusion, Histogram, Shares


def test_what_is_no_element_is_escaped():
    """Text and attribute values cannot end what they stand in; elements of ours stand as they are."""
    inner = element("b", None, "<i>")
    assert '<p class="&#34;&gt;"><b>&lt;i&gt;</b>&amp;</p>' == element("p", {"class": '">'}, inner, "&")


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (3, 3, [3]), (0, 7, [0, 2, 4, 6])]
)
def test_ticks_are_round_numbers(low, high, expected):
    """Steps of 1, 2 or 5 times a power of ten, within the range."""
    assert expected == pytest.approx(axes.axis_ticks(low, high))


@given(st.lists(st.floats(0, 230), min_size=1, max_size=10))
def test_names_beside_lines_never_overlap(heights):
    """Moved names keep their order, their distance and the frame."""
    placed = axes.spread_out(heights, gap=15, low=0, high=230)
    inside = sorted(placed)
    assert all(after - before >= 15 - 1e-6 for before, after in itertools.pairwise(inside))
    assert -1e-6 <= inside[0]
    assert inside[-1] <= 230 + 1e-6
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    assert all(placed[a] <= placed[b] for a, b in itertools.pairwise(order) if heights[a] < heights[b])


def test_a_bar_is_cut_in_proportion():
    """One label with three of four answers gets three quarters of the bar."""
    svg, key = shares_chart(Shares(("a", "b"), (("LLM", (3, 1)),)))
    widths = [float(width) for width in re.findall(r'<rect[^>]*width="([\d.]+)"', svg)]
    assert 3.0 == pytest.approx(widths[0] / widths[1])
    assert ["a", "b"] == re.findall(r"<bdi>(.*?)</bdi>", key)


def test_labels_beyond_the_colours_share_one():
    """Seven labels get a colour, by how often they are given; the rest are one grey part."""
    counts = tuple(range(1, 10))
    svg, key = shares_chart(Shares(tuple("abcdefghi"), (("LLM", counts),)))
    assert [*"cdefghi", "2 other labels"] == re.findall(r"<bdi>(.*?)</bdi>", key)
    assert 1 == svg.count('class="cx cut"')
    assert "other labels: 3 (6.7 %)" in svg
    assert "cx" == palette.colour(7) == palette.colour(None)


def test_a_histogram_stacks_its_series():
    """Bars of a bin stand on each other: heights add up to the tallest, which fills the frame."""
    svg, _ = histogram_chart(Histogram("loss", "text", (0.0, 1.0, 2.0), (("clean", (2, 0)), ("not", (2, 1))), 1.0, "m"))
    boxes = re.findall(r'<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', svg)
    (low_top, low), (high_top, high), (_, single) = [(float(top), float(height)) for top, height in boxes]
    assert high_top + high == pytest.approx(low_top)
    assert 190 == pytest.approx(low + high)
    assert single == pytest.approx(low / 2, abs=0.1)
    assert "loss 0 to 1: 2 texts, clean" in svg


def test_a_matrix_is_described():
    """The text alternative names the share of agreement and the most frequent mistake first."""
    svg = confusion_chart(Confusion("truth", "student", ("a", "b"), ((8, 2), (0, 10)), 18))
    assert "The same label on 90.0 % of 20 rows. 2 times truth says a where student says b." in svg


def test_a_group_of_labels_is_neither_agreement_nor_a_mistake():
    """Where the last label stands for several, its diagonal may hold mistakes: `agreed` counts, and it is not named."""
    svg = confusion_chart(Confusion("truth", "student", ("a", "3 others"), ((8, 2), (0, 10)), 9, grouped=True))
    assert 'The same label on 45.0 % of 20 rows."' in svg


@pytest.mark.parametrize(("hits", "of", "low", "high"), [(9, 10, 0.596, 0.982), (0, 10, 0.0, 0.278), (0, 0, 0.0, 1.0)])
def test_wilson_intervals(hits, of, low, high):
    """Against the figures of Newcombe 1998 and others; nothing counted, nothing known."""
    assert (low, high) == pytest.approx(wilson(hits, of), abs=0.001)
