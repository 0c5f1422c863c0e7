"""What a reply says to its own prompt: one label, several, or written texts."""

from __future__ import annotations

from freeal.annotation import several_labels_parser
from freeal.annotation.reply_parser import Reading, read, read_rules, read_texts
from freeal.types import Prompt, Reply


def reading_of(reply: Reply, prompt: Prompt) -> Reading:
    """The label or branch, or the joined labels, that a written reply to a prompt with labels gives. Never raises."""
    if prompt.several:
        return several_labels_parser.read(reply, prompt.labels)
    return read(reply, prompt.labels, prompt.branches)


def usable(reply: Reply, prompt: Prompt) -> bool:
    """Whether a reply answers its prompt: with scores, with what it has labels for, or with a text. Never raises."""
    if reply.scores is not None:
        return True
    if prompt.labels:
        return reading_of(reply, prompt).is_answer
    return bool(read_rules(reply) if prompt.rules else read_texts(reply))
