"""`kind: multi` in a spec: what goes together, and what is refused (freeal/spec/kind_values.py)."""

from __future__ import annotations

import pytest

from freeal.errors import SpecError
from freeal.spec.job_spec import Spec

HEAD = "description: d\nkind: multi\nlabels: [price, speed]\n"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("student: {mode: finetune}\n", "finetune is made for texts of one label"),
        ("llm: [a, b]\n", "several language models cannot share kind: multi"),
        ("label_changes: {cheap: price}\n", "key 'label_changes': is made for texts of one label"),
        ("paraphrase_column: other\n", "key 'paraphrase_column': is made for texts of one label"),
        ("pilot: 40\n", "key 'pilot': is made for texts of one label"),
        ("label_columns: [price]\n", "has no column for 'speed'"),
        ("label_columns: [price, sped]\n", "'sped' is none of the labels"),
        ("label_columns: {price: x, speed: x}\n", "names 'x' for two labels"),
        ("label_columns: [price, price]\n", "names 'price' twice"),
        ("label_columns: [price, speed]\nlabel_column: y\n", "true labels stand in label_column or in label_columns"),
        ("label_columns: [price, speed]\nid_column: speed\n", "column 'speed' is also a text column or the id_column"),
        ("label_separator: ', '\n", "must be one character"),
        ("examples: [[a text, [price, sped]]]\n", "the label 'sped' of an example is none of the labels"),
    ],
)
def test_what_is_not_supported_is_refused_by_its_key(more, said):
    """Each with its line, and what to do."""
    with pytest.raises(SpecError) as caught:
        Spec.from_yaml(HEAD + more)
    assert said in str(caught.value)


def test_labels_that_cannot_be_told_from_none():
    """`(none)` is how a text without labels is written; one label alone is a question of two."""
    with pytest.raises(SpecError, match="is how a text without labels is written"):
        Spec.from_yaml("description: d\nkind: multi\nlabels: [price, (None)]\n")
    with pytest.raises(SpecError, match="at least 2 labels are needed"):
        Spec.from_yaml("description: d\nkind: multi\nlabels: [price]\n")
    with pytest.raises(SpecError, match="'price' stands twice"):
        Spec.from_yaml("description: d\nkind: multi\nlabels: [price, price]\n")


def test_keys_of_several_labels_need_their_kind():
    """A spec of one label that names them is refused: they would be ignored in silence."""
    for more in ("label_columns: [price, speed]\n", "label_separator: '|'\n"):
        with pytest.raises(SpecError, match="is for texts of several labels"):
            Spec.from_yaml(HEAD.replace("kind: multi\n", "") + more)


def test_examples_may_have_several_labels():
    """As a list or joined, none as an empty list; the order is that of the labels."""
    spec = Spec.from_yaml(HEAD + "examples: [[one, [speed, price]], [two, speed], [three, []], [four, price;speed]]\n")
    assert ["price;speed", "speed", "(none)", "price;speed"] == [one.label for one in spec.examples]


def test_other_specs_keep_their_keys():
    """What was one label stays as it is; what is said about several counts."""
    one = Spec.from_yaml(HEAD.replace("kind: multi\n", ""))
    assert one.digest() == Spec.from_yaml(HEAD.replace("multi", "single")).digest()
    many = Spec.from_yaml(HEAD)
    assert len({one.digest(), many.digest(), Spec.from_yaml(HEAD + "label_separator: '|'\n").digest()}) == 3


@pytest.mark.parametrize("labels", [["1", "10", "2"], ["5", "1", "3"]])
def test_numbers_that_are_in_no_order_are_refused(labels):
    """As they come out of a table sorted as text, or by how frequent they are; either direction is an order."""
    with pytest.raises(SpecError, match=r"key 'labels': are numbers, but not in order.*write the lowest first"):
        Spec.from_dict({"name": "t", "description": "d", "labels": labels, "kind": "ordinal"})
    for order in (sorted(labels, key=float), sorted(labels, key=float, reverse=True), ["good", "10", "2"]):
        assert order == list(Spec.from_dict({"description": "d", "labels": order, "kind": "ordinal"}).labels)
    assert labels == list(Spec.from_dict({"description": "d", "labels": labels}).labels)
