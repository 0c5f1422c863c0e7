"""What is said of a run that ended well and found less than it was asked for."""

from __future__ import annotations

from freeal.pool.text_pool import EMPTY, Pool
from freeal.results import outcome_warnings
from freeal.types import Annotation, Decision, Status


def _pool(size, *, row_index=None):
    texts = tuple(f"text {number}" for number in range(size))
    return Pool(texts, tuple(row_index or range(size)), tuple(range(size)), ("text",))


def _found(llm, final, *, labels=("a", "b"), statuses=Status.OK, pool=None):
    annotations = [
        Annotation(index, label, 1.0, (Status.OK if label else statuses,), 1) for index, label in enumerate(llm)
    ]
    decisions = [Decision(label, 0.9, "student", said, label, 0.9, 1) for label, said in zip(final, llm, strict=True)]
    return outcome_warnings.outcome_warnings(decisions, annotations, pool or _pool(len(llm)), labels=labels)


def test_nothing_is_said_where_each_label_is_given_and_each_row_answered():
    """The usual end."""
    assert () == _found("abab", "abab")


def test_one_label_for_every_text_is_said_with_what_to_do():
    """The others cannot be learned from that."""
    (warning,) = _found("aaaa", "aaaa", labels=("a", "b", "c"))
    assert warning.startswith("the language model gave every text the same label, 'a', so that 'b', 'c' cannot be")


def test_labels_nobody_got_are_named_and_the_rest_counted():
    """Also where others were given."""
    (warning,) = _found("abab", "abab", labels=tuple("abcdefghij"))
    assert "labels given to no row: 'c', 'd', 'e', 'f', 'g' and 3 more" in warning


def test_rows_without_an_answer_are_counted_by_the_students_label():
    """A model that refuses one kind of text alone leaves its label to chance."""
    (warning,) = _found([None] * 5 + ["b"] + ["a"] * 10, "b" * 6 + "a" * 10, statuses=Status.REFUSED)
    assert "5 of 16 rows have no usable answer of the language model (refused 5)" in warning
    assert warning.endswith("by the student's label: 'b' 5 of 6; 'b' lacks them most")


def test_what_was_never_asked_is_no_missing_answer():
    """A share of the pool, a cap, or a person's own word: each is said elsewhere."""
    for status in (Status.NOT_ASKED, Status.BUDGET, Status.CORRECTED):
        assert () == _found([None, None, "a", "b"], "abab", statuses=status)


def test_rows_are_counted_not_texts_and_empty_ones_left_out():
    """One text may stand in many rows."""
    pool = _pool(3, row_index=[0, 0, 0, 1, 2, EMPTY])
    (warning,) = _found([None, "a", "b"], "aab", statuses=Status.INVALID_ANSWER, pool=pool)
    assert "3 of 5 rows have no usable answer of the language model (invalid_answer 3)" in warning
