"""What a reply says to its own prompt, one label, several, or written texts; and the stored replies that say any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from freeal.annotation import several_labels_parser
from freeal.annotation.reply_parser import Reading, read_reply, read_rules_in_reply, read_texts
from freeal.llm.store.answer_store import KEYS_AT_ONCE, AnswerStore
from freeal.types import Prompt, Reply


def reading_of(reply: Reply, prompt: Prompt) -> Reading:
    """The label or branch, or the joined labels, that a written reply to a prompt with labels gives. Never raises."""
    if prompt.several:
        return several_labels_parser.read_several_labels(reply, prompt.labels)
    return read_reply(reply, prompt.labels, prompt.branches)


def is_usable_reply(reply: Reply, prompt: Prompt) -> bool:
    """Whether a reply answers its prompt: with scores, with what it has labels for, or with a text. Never raises."""
    if reply.scores is not None:
        return True
    if prompt.labels:
        return reading_of(reply, prompt).is_answer
    return bool(read_rules_in_reply(reply) if prompt.rules else read_texts(reply))


class KnownReplies:
    """The replies in the answer store that are of use to one run. Its methods block on the disk."""

    def __init__(self, store: AnswerStore) -> None:
        self._store = store
        self.useless_here: set[str] = set()
        """Keys that this run was given a useless reply to: they stay, it does not ask again."""

    def usable_replies_among(self, keys: Sequence[str], prompts: Mapping[str, Prompt]) -> dict[str, Reply]:
        """The stored replies that are usable for their prompts, by key; an earlier run's reply that is of no use goes
        out of the way."""
        known = self._store.get_many(keys)
        useless = {key for key in known.keys() - self.useless_here if not is_usable_reply(known[key], prompts[key])}
        if useless:
            self._store.set_aside(useless)
        return {key: reply for key, reply in known.items() if key not in useless}

    def reuse_usable_replies(self, better: Mapping[str, str]) -> None:
        """Have the usable replies to other keys, which are stored already, be those to these (key -> the other)."""
        keys = list(better)
        for start in range(0, len(keys), KEYS_AT_ONCE):
            part = keys[start : start + KEYS_AT_ONCE]
            found = self._store.get_many([better[key] for key in part])
            replies = {key: found[better[key]] for key in part if better[key] in found}
            self._store.set_aside(list(replies))
            self._store.put_many(replies)
