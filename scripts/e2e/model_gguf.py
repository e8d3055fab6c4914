"""Writes a small llama with random weights as GGUF: `model_gguf.py OUT.gguf`.

Its words are made of ten syllables, so answers are readable nonsense; the seed is fixed, so that every machine gets
the same answers. The size is chosen for time, not for sense: big enough that a token takes milliseconds (times can be
told apart from noise, an abort has something to stop), small enough to be written in two seconds.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

NAME = "tiny-random"
SEED = 7
CONTEXT = 32768

EMBEDDING = 256
LAYERS = 6
FEED_FORWARD = 768
HEADS = 16
WORDS = 8000

SYLLABLES = ("ka", "lo", "mi", "ne", "ru", "sa", "ti", "vo", "za", "be")
SINGLES = (*(chr(code) for code in range(33, 127)), "▁", "\n", "é", "ü", "中", "文", "😀")

# Special and byte tokens get small output weights: they rarely win, so an answer runs to its limit and stays readable.
SPECIAL_WEIGHT = 0.02
WEIGHT = 0.3

CHAT_TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>"


def vocabulary() -> tuple[list[bytes], list[int], int]:
    """Tokens, their types, and how many of them are special or single bytes."""
    tokens = [b"<unk>", b"<s>", b"</s>", *(f"<0x{byte:02X}>".encode() for byte in range(256))]
    types = [int(gguf.TokenType.UNKNOWN)] + [int(gguf.TokenType.CONTROL)] * 2 + [int(gguf.TokenType.BYTE)] * 256
    specials = len(tokens)
    words = ("▁" + "".join(parts) for length in (1, 2, 3, 4) for parts in itertools.product(SYLLABLES, repeat=length))
    tokens += [text.encode() for text in (*SINGLES, *itertools.islice(words, WORDS))]
    types += [int(gguf.TokenType.NORMAL)] * (len(tokens) - specials)
    return tokens, types, specials


def write_model(path: Path) -> None:
    """Writes the whole model to `path`."""
    random = np.random.default_rng(SEED)

    def weights(*shape: int) -> NDArray[np.float32]:
        return (random.standard_normal(shape) * WEIGHT).astype(np.float32)

    tokens, types, specials = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(NAME)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(EMBEDDING // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(rank) / 10 for rank in range(len(tokens))])
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_chat_template(CHAT_TEMPLATE)

    norm = np.ones(EMBEDDING, np.float32)
    output = weights(len(tokens), EMBEDDING)
    output[:specials] *= SPECIAL_WEIGHT
    writer.add_tensor("token_embd.weight", weights(len(tokens), EMBEDDING))
    writer.add_tensor("output_norm.weight", norm)
    writer.add_tensor("output.weight", output)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        writer.add_tensor(block + "attn_norm.weight", norm)
        writer.add_tensor(block + "ffn_norm.weight", norm)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{block}{name}.weight", weights(EMBEDDING, EMBEDDING))
        for name in ("ffn_gate", "ffn_up"):
            writer.add_tensor(f"{block}{name}.weight", weights(FEED_FORWARD, EMBEDDING))
        writer.add_tensor(block + "ffn_down.weight", weights(EMBEDDING, FEED_FORWARD))

    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: model_gguf.py OUT.gguf")
    write_model(Path(sys.argv[1]))
