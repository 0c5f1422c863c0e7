"""Paths of labels within labels."""

from __future__ import annotations

import pytest

from freeal.text import label_paths

LEAVES = ("billing / refund", "billing / TCP/IP", "technical / refund", "other")


def test_nodes_stand_before_what_lies_under_them():
    """Branches and labels, in the order of the labels."""
    assert ("billing", *LEAVES[:2], "technical", *LEAVES[2:]) == label_paths.nodes(LEAVES)
    assert ("billing", "technical") == label_paths.branches(LEAVES)


@pytest.mark.parametrize(
    ("said", "node"),
    [
        ("billing / refund", "billing / refund"),
        ("Billing/Refund", "billing / refund"),
        ("billing > refund", "billing / refund"),
        ("BILLING", "billing"),
        ("tcp/ip", "billing / TCP/IP"),
        ("refund", None),  # under two parents
        ("delivery", None),
    ],
)
def test_a_node_is_found_as_people_write_it(said, node):
    """In any case, with another sign between names, by its own name where that is no other's."""
    assert node == label_paths.find_node(said, LEAVES)


def test_a_name_that_begins_like_another_is_not_below_it():
    """`bill` is no branch of `billing / refund`."""
    assert not label_paths.is_below("billing / refund", "bill")
    assert label_paths.is_below("billing / refund", "billing")


def test_names_that_differ_in_case_are_the_names_of_two_nodes():
    """Neither is said by the name alone, as neither is where both are written alike; the path is known still."""
    leaves = ("billing / Other", "billing / late", "technical / other")
    assert label_paths.find_node("other", leaves) is None
    assert "billing / Other" == label_paths.find_node("billing / other", leaves)
    assert "Other" not in label_paths.ways_to_say(leaves)
