"""A tiny encoder for tests: real code paths, two layers, random weights, written in milliseconds, nothing fetched."""

from __future__ import annotations

from pathlib import Path

WORDS = (
    "the a this that it is was and or not very so too i we you they me my of in on for with to from as at but all no "
    "good great fine superb lovely happy love liked best perfect bad awful poor terrible sad hate broke worst refund "
    "film movie book phone screen battery service food room staff price story plot actor music game team match player "
    "score goal win lost market bank stock shares profit money oil trade company science space planet cell gene "
    "who what where when why how many much does did do are were has have be been product review text row number day"
)


def tiny_encoder(folder: Path, *, seed: int = 0) -> Path:
    """Write a random BERT encoder (2 layers, 32 dimensions) with its tokenizer into `folder`, and return `folder`.

    Its vocabulary is `WORDS`, digits and single letters, so that any lower-case text has tokens of its own. The folder
    serves as `student.model`. The same seed gives the same weights; torch's global generator is left as it was.
    """
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from freeal.compute.quiet_transformers import quiet_transformers

    folder.mkdir(parents=True, exist_ok=True)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + [str(digit) for digit in range(10)]
    pieces = letters + [f"##{piece}" for piece in letters]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys([*special, *pieces, *WORDS.split()]))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106 - a token, not a secret
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=128, **names).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=128,
        pad_token_id=vocabulary["[PAD]"],
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(config)
    with quiet_transformers():
        model.save_pretrained(folder)
    return folder
