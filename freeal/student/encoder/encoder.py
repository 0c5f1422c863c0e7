"""An encoder with a linear classification head: tokenise, run, and see what the head sees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from freeal.compute import scratch_arrays
from freeal.compute.batch_halving import Room
from freeal.compute.device import Compute
from freeal.compute.listener import OnStep, unwatched
from freeal.compute.quiet_transformers import quiet_transformers
from freeal.errors import ConfigError
from freeal.settings import LongTexts
from freeal.student.encoder import activation_memory
from freeal.student.encoder.last_layer_shortcut import shorten_last_layer
from freeal.student.encoder.locate_encoder import Weights
from freeal.student.encoder.mean_pooling_layer import append_mean_layer
from freeal.student.encoder.text_truncation import Reader
from freeal.student.encoder.token_batches import Tokens, padded_batch, sorted_by_length
from freeal.student.model_folder import untrusted_folder_check
from freeal.student.protocols import ReadText

SCORING_BATCH = 64
SCORING_TOKENS = 1024
"""Of a batch with its padding, on a processor: a layer's activations of more tokens no longer lie in its cache
(docs/benchmarks.md, Speed)."""
SEVERAL_LABELS = "multi_label_classification"


class Encoder:
    """A Hugging Face sequence classifier whose head's input, the *features*, can be read and trained on.

    `model` is what is saved; `head` is the last linear layer in it, which turns features into logits; `room` knows how
    much fits into memory.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        max_length: int,
        compute: Compute,
        long_texts: LongTexts = "head",
        room: Room | None = None,
    ) -> None:
        if tokenizer.pad_token_id is None:
            raise ConfigError(f"student.model: a {model.config.model_type} tokenizer has no padding; use an encoder")
        self.model = model.to(compute.device)
        self.tokenizer = tokenizer
        self.compute = compute
        self.room = room or Room()
        positions = getattr(model.config, "max_position_embeddings", None) or max_length
        offset = 2 if "roberta" in model.config.model_type or model.config.model_type == "camembert" else 0
        self.max_length = min(max_length, positions - offset)
        self.long_texts: LongTexts = long_texts
        self._reader = Reader(tokenizer, max_length=self.max_length, long_texts=long_texts)
        self.head = _linear_head_of(model)
        shorten_last_layer(self.model)
        # a GPU has its own way: a batch that does not fit is halved
        self._bounded = activation_memory.bounded_layers(model) if compute.device.type == "cpu" else []
        self._head_inputs: list[torch.Tensor] = []
        self.head.register_forward_pre_hook(self._see)  # a method of ours: a lambda could not be pickled

    def _see(self, _: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self._head_inputs.append(inputs[0])

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Token ids per text, at most `max_length`."""
        return [list(one.tokens) for one in self.read(texts)]

    def read(self, texts: Sequence[str]) -> list[ReadText]:
        """The same, and whether they are all of the text."""
        return self._reader.read(texts)

    def pad(self, tokens: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and attention mask of one batch, on the device."""
        ids, mask = padded_batch(tokens, pad_id=self.tokenizer.pad_token_id)
        return ids.to(self.compute.device), mask.to(self.compute.device)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features [batch, d] and logits [batch, labels] of one padded batch, in float32."""
        activation_memory.bound_activation_memory(self._bounded, tokens=ids.numel())
        with self.compute.autocast():
            logits = self.model(input_ids=ids, attention_mask=mask).logits
        return self._head_inputs.pop().float(), logits.float()

    @property
    def training_tokens(self) -> int | None:
        """Of a batch with its padding, whose activations are all kept in training; of more, some are computed twice.
        None: as many as there are."""
        return activation_memory.KEPT_TOKENS if self._bounded else None

    def head_alone(self, features: torch.Tensor) -> torch.Tensor:
        """Logits of given features [batch, d]: the head without the encoder."""
        return nn.functional.linear(features, self.head.weight, self.head.bias)

    def score(
        self,
        tokens: Tokens,
        *,
        batch_size: int = SCORING_BATCH,
        on_batch: OnStep = unwatched,
        into: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Features float32 [n, d] and logits float32 [n, labels] in evaluation mode, in the order of `tokens`.

        The features are written `into` an array of that shape where one is given. A batch that does not fit into memory
        is halved. `on_batch` is called with (done, total) texts and may raise.
        """
        features = np.empty((len(tokens), self.head.in_features), dtype=np.float32) if into is None else into
        logits = np.empty((len(tokens), self.head.out_features), dtype=np.float32)
        lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
        done = 0
        self.model.eval()

        def scored(piece: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            self.forget()
            seen, out = self.forward(*self.pad([tokens[index] for index in piece]))
            return seen.cpu().numpy(), out.cpu().numpy()

        # one autocast around all batches: weights are made bf16 once, not for each of them
        with torch.inference_mode(), self.compute.autocast():
            for batch in self.scoring_batches(lengths, most_texts=batch_size):
                for piece, (seen, out) in self.room.pieces("scoring", batch, scored):
                    features[piece], logits[piece] = seen, out
                done += len(batch)
                on_batch(done, len(tokens))
        return features, logits

    def scoring_batches(self, lengths: np.ndarray, *, most_texts: int = SCORING_BATCH) -> list[np.ndarray]:
        """Places of texts with so many tokens each, int [n], in the batches in which they are computed fastest."""
        on_cpu = self.compute.device.type == "cpu"
        return sorted_by_length(lengths, size=most_texts, most_tokens=SCORING_TOKENS if on_cpu else None)

    def forget(self) -> None:
        """Let go of what a forward pass that failed has left behind."""
        self._head_inputs.clear()

    def set_head(self, weight: np.ndarray, bias: np.ndarray) -> None:
        """Replace the head: `weight` [labels, d], `bias` [labels]."""
        with torch.no_grad():
            self.head.weight.copy_(torch.as_tensor(weight))
            self.head.bias.copy_(torch.as_tensor(bias))

    @property
    def has_several_labels(self) -> bool:
        """Whether each label has a probability of its own: transformers then takes a sigmoid of each logit."""
        return bool(self.model.config.problem_type == SEVERAL_LABELS)

    def give_several_labels(self) -> None:
        """From now on a text may have several labels, or none."""
        self.model.config.problem_type = SEVERAL_LABELS

    def cool(self, temperature: float) -> None:
        """Divide the logits by `temperature` for good, so that whoever loads the model gets calibrated scores."""
        with torch.no_grad():
            self.head.weight.div_(temperature)
            self.head.bias.div_(temperature)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length one; a row of zeros stays one."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)


def unit_rows(vectors: np.ndarray, *, scratch: Path | None) -> np.ndarray:
    """The same of many, in their own precision, in a file in the folder `scratch` where they are large."""
    found = scratch_arrays.empty_scratch_array(vectors.shape, vectors.dtype, folder=scratch)
    for piece in scratch_arrays.pieces(len(vectors)):
        found[piece] = unit(scratch_arrays.widened(vectors[piece]))
    return found


def load_encoder(
    weights: Weights,
    *,
    labels: Sequence[str],
    max_length: int,
    compute: Compute,
    seed: int,
    long_texts: LongTexts = "head",
    previous: Path | None = None,
    room: Room | None = None,
) -> Encoder:
    """A fresh classifier over `labels` that reads the mean of the tokens where that is possible.

    Its encoder is untrained, or as it was saved in `previous`, a student of other labels perhaps. Raises `ConfigError`
    when the folder holds no encoder that transformers knows.
    """
    names = dict(enumerate(labels))
    if previous is not None:
        untrusted_folder_check.check_untrusted_folder(previous)
    with compute.seeded(seed):
        model, tokenizer, _ = read_encoder_folder(
            previous or weights.folder,
            id2label=names,
            label2id={name: index for index, name in names.items()},
            problem_type="single_label_classification",
            ignore_mismatched_sizes=True,
        )
    if previous is None:
        append_mean_layer(model)
    return Encoder(model, tokenizer, max_length=max_length, compute=compute, long_texts=long_texts, room=room)


def read_encoder_folder(folder: Path, **config: Any) -> tuple[Any, Any, set[str]]:
    """Sequence classifier, tokenizer and the names of tensors the folder lacks: safetensors only, no code from it,
    nothing fetched. `config` replaces entries of its config.json. Raises `ConfigError` when it cannot be read."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    safe = {"local_files_only": True, "trust_remote_code": False}
    try:
        with quiet_transformers():
            model, loaded = AutoModelForSequenceClassification.from_pretrained(
                folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **safe, **config
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, **safe)
    except (OSError, ValueError, KeyError) as cause:
        raise ConfigError(f"student.model: {folder} cannot be read as an encoder: {cause}") from cause
    return model, tokenizer, set(loaded["missing_keys"])


def _linear_head_of(model: Any) -> nn.Linear:
    wanted = model.config.num_labels
    found = [part for part in model.modules() if isinstance(part, nn.Linear) and part.out_features == wanted]
    if not found or not found[-1].state_dict().get("bias", torch.empty(0)).numel() or model.config.is_encoder_decoder:
        raise ConfigError(f"student.model: a {model.config.model_type} model has no linear head; use an encoder")
    return found[-1]
