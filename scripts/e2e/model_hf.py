"""Writes a tiny llama with random weights in Hugging Face's form: `model_hf.py FOLDER`.

Runs with vLLM's Python, which has torch, transformers and tokenizers. The tokenizer is a real byte-level BPE, so that
one character may be several tokens, as with real models; the seed is fixed, so that answers repeat.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

SEED = 0
CONTEXT = 8192
VOCABULARY = 1500
HIDDEN = 64
LAYERS = 2
HEADS = 2

SPECIALS = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
SYLLABLES = ("ka", "lo", "mi", "ne", "ru", "sa", "ti", "vo", "za", "be")
CHAT_TEMPLATE = "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}<s>assistant:"


def write_json(path: Path, value: object) -> None:
    """Writes one of the small files that a model consists of."""
    path.write_text(json.dumps(value, indent=1))


def train_tokenizer() -> Tokenizer:
    """A byte-level BPE over syllables, some English and some characters outside ASCII."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    syllables = [
        " ".join("".join(parts) for parts in itertools.product(SYLLABLES, repeat=length)) for length in (1, 2, 3)
    ]
    corpus = [*syllables * 3, "The quick brown fox jumps over the lazy dog. " * 5, "中文 😀 é ü " * 5]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIALS.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def write_model(folder: Path) -> None:
    """Writes tokenizer, configuration and weights into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "special_tokens_map.json", SPECIALS)
    write_json(
        folder / "tokenizer_config.json",
        {
            **SPECIALS,
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": CONTEXT,
            "clean_up_tokenization_spaces": False,
            "chat_template": CHAT_TEMPLATE,
        },
    )
    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=HIDDEN,
        intermediate_size=HIDDEN * 2,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        head_dim=HIDDEN // HEADS,
        max_position_embeddings=CONTEXT,
        bos_token_id=tokenizer.token_to_id(SPECIALS["bos_token"]),
        eos_token_id=tokenizer.token_to_id(SPECIALS["eos_token"]),
        tie_word_embeddings=False,
        dtype="float32",
    )
    LlamaForCausalLM(config).save_pretrained(folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: model_hf.py FOLDER")
    write_model(Path(sys.argv[1]))
