"""Writes a small GGUF file of the llama architecture with random weights: it loads, and it writes printable nonsense.

By hand, from the format's description, so that no library is needed: a header, keys with values, the names and
shapes of the tensors, and their numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ALIGNMENT = 32
_U32, _I32, _F32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9  # types of values
_FLOAT32 = 0  # type of tensors
_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4  # types of tokens

START, END = "<|im_start|>", "<|im_end|>"
SPECIAL = ("<|endoftext|>", START, END)
WORDS = (" the", " light", " on", " off", "Hello", " kitchen", "true", "false", " you", " are")
TEMPLATE = """\
{%- if tools %}{{ '<|im_start|>system\\n# Tools\\n' }}
{%- for tool in tools %}{{ tool | tojson }}{{ '\\n' }}{% endfor %}{{ '<|im_end|>\\n' }}{% endif %}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content }}
{%- for call in message.tool_calls or [] %}
{{- '<tool_call>\\n' + (call.function | tojson) + '\\n</tool_call>' }}{% endfor %}
{{- '<|im_end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and not enable_thinking %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}"""
"""The form that Qwen's models use, with tools and an answer to `enable_thinking`."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large the network is."""

    layers: int = 2
    width: int = 64
    heads: int = 4
    context: int = 8192


def write_gguf(
    path: Path, size: Size | None = None, *, template: str | None = TEMPLATE, seed: int = 0
) -> Path:
    """Write a model to `path` and return it; equal arguments give equal bytes."""
    size = size or Size()
    tokens = list(_tokens())
    tensors = dict(_tensors(size, tokens, np.random.default_rng(seed)))
    header = struct.pack("<4sIQ", b"GGUF", 3, len(tensors))
    keys = _keys(size, tokens, template)
    body = struct.pack("<Q", len(keys)) + b"".join(
        _string(key) + _typed(value) for key, value in keys.items()
    )
    offset = 0
    for name, tensor in tensors.items():
        shape = tensor.shape[::-1]  # the fastest dimension first
        body += _string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        body += struct.pack("<IQ", _FLOAT32, offset)
        offset += -(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT
    path.write_bytes(
        _padded(header + body) + b"".join(_padded(one.tobytes()) for one in tensors.values())
    )
    return path


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _typed(value: Any) -> bytes:
    """Return the number of a value's type, and the value."""
    if isinstance(value, bool):
        return struct.pack("<I?", _BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", _U32, value)
    if isinstance(value, float):
        return struct.pack("<If", _F32, value)
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _string(value)
    kind = _STRING if isinstance(value[0], str) else _I32
    items = b"".join(_string(one) if kind == _STRING else struct.pack("<i", one) for one in value)
    return struct.pack("<IIQ", _ARRAY, kind, len(value)) + items


def _letters() -> list[str]:
    """Return the letter that stands for each byte in GPT-2's kind of vocabulary."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain}
    letters |= {byte: chr(256 + number) for number, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


def _spelt(word: str) -> str:
    letters = _letters()
    return "".join(letters[byte] for byte in word.encode())


def _merges() -> Iterator[tuple[str, str]]:
    """Yield the pairs that make the words, letter by letter."""
    for word in map(_spelt, WORDS):
        for end in range(1, len(word)):
            yield word[:end], word[end]


def _tokens() -> Iterator[tuple[str, int]]:
    yield from ((letter, _NORMAL) for letter in _letters())
    joined = dict.fromkeys("".join(pair) for pair in _merges())
    yield from ((token, _NORMAL) for token in joined)
    yield from ((token, _CONTROL) for token in SPECIAL)
    yield from ((token, _USER_DEFINED) for token in ("<tool_call>", "</tool_call>"))


def _keys(size: Size, tokens: Sequence[tuple[str, int]], template: str | None) -> Mapping[str, Any]:
    number = {token: index for index, (token, _) in enumerate(tokens)}
    return {
        "general.architecture": "llama",
        "general.name": "tiny",
        "llama.block_count": size.layers,
        "llama.context_length": size.context,
        "llama.embedding_length": size.width,
        "llama.feed_forward_length": 2 * size.width,
        "llama.attention.head_count": size.heads,
        "llama.attention.head_count_kv": size.heads,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": size.width // size.heads,
        "llama.vocab_size": len(tokens),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": [token for token, _ in tokens],
        "tokenizer.ggml.token_type": [kind for _, kind in tokens],
        "tokenizer.ggml.merges": [" ".join(pair) for pair in dict.fromkeys(_merges())],
        "tokenizer.ggml.bos_token_id": number[SPECIAL[0]],
        "tokenizer.ggml.eos_token_id": number[END],
        "tokenizer.ggml.add_bos_token": False,
        **({"tokenizer.chat_template": template} if template else {}),
    }


def _tensors(
    size: Size, tokens: Sequence[tuple[str, int]], random: np.random.Generator
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    def weights(*shape: int, deviation: float = 1.0) -> NDArray[np.float32]:
        return random.normal(0, deviation * shape[-1] ** -0.5, shape).astype(np.float32)

    # The first number of every state is always the same, so what weighs it has a constant part: one that keeps the
    # model from ending an answer by itself, and from writing what is no text.
    embedding = weights(len(tokens), size.width, deviation=size.width**0.5)
    embedding[:, 0] = 2
    output = weights(len(tokens), size.width)
    output[:, 0] = [0 if _printable(*token) else -8 for token in tokens]
    ones = np.ones(size.width, np.float32)
    yield "token_embd.weight", embedding
    for layer in range(size.layers):
        for name in ("attn_q", "attn_k", "attn_v"):
            yield f"blk.{layer}.{name}.weight", weights(size.width, size.width)
        for name in ("ffn_gate", "ffn_up"):
            yield f"blk.{layer}.{name}.weight", weights(2 * size.width, size.width)
        for name, width in (("attn_output", size.width), ("ffn_down", 2 * size.width)):
            back = weights(size.width, width)
            back[0] = 0
            yield f"blk.{layer}.{name}.weight", back
        yield f"blk.{layer}.attn_norm.weight", ones
        yield f"blk.{layer}.ffn_norm.weight", ones
    yield "output_norm.weight", ones
    yield "output.weight", output


def _printable(token: str, kind: int) -> bool:
    return kind == _NORMAL and all(letter.isascii() or letter == _spelt(" ") for letter in token)
