"""The most one call can use: what is reserved before it goes, and the `max_tokens` it is given."""

from __future__ import annotations

from freeal.types import Prompt, Usage

LABEL_OUTPUT_TOKENS = 1_024
"""Most tokens a label answer may take: the JSON needs 40, the rest is for a model that thinks first."""

WRITING_OUTPUT_TOKENS = 8_192
"""Most tokens an answer with written demonstrations may take."""

RULES_OUTPUT_TOKENS = 2_048
"""Most tokens two proposals of a rule may take: four short sentences need 200, the rest is for thinking first."""

_FRAME_TOKENS = 600
"""Room for what a provider adds around a prompt: roles, the schema and its instructions."""


def output_ceiling(prompt: Prompt) -> int:
    """Most output tokens a network model is allowed for this prompt (its `max_tokens`)."""
    if prompt.output_tokens is not None:
        return prompt.output_tokens
    if prompt.rules:
        return RULES_OUTPUT_TOKENS
    return LABEL_OUTPUT_TOKENS if prompt.labels else WRITING_OUTPUT_TOKENS


def call_ceiling(prompt: Prompt) -> Usage:
    """The most one call can use: no token is shorter than a byte, and all input may have to be written to the cache."""
    parts = (prompt.system, prompt.shared, prompt.specific, *prompt.labels)
    input_tokens = _FRAME_TOKENS + sum(len(part.encode("utf-8", "replace")) for part in parts)
    return Usage(
        calls=1, input_tokens=input_tokens, cache_write_tokens=input_tokens, output_tokens=output_ceiling(prompt)
    )
