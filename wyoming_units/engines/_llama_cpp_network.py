"""A loaded model of llama.cpp with the one sequence that it keeps computed; all calls block."""

from __future__ import annotations

import ctypes
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from wyoming_units.errors import EngineFailed, Unsupported

_LOGGER = logging.getLogger(__name__)
_ERROR = 4
"""ggml's level of errors."""
_MOST_RULES = 50_000
"""Characters of the rules that a schema becomes; llama.cpp crashes on some hundred thousand."""
_WEIGHED = 20
"""How many of the likeliest tokens are told."""


class Stop:
    """A flag that both Python and llama.cpp look at, the latter while it computes."""

    def __init__(self) -> None:
        self.buffer = ctypes.create_string_buffer(2)

    def set(self) -> None:
        """Have the computation end."""
        self.buffer.value = b"\x01"

    def __bool__(self) -> bool:
        return bool(self.buffer.value)


class Stopped(Exception):
    """Nobody wants the answer any more."""


class Network:
    """Tokens in, tokens out. What the last call computed is kept: a prompt that begins alike is read faster."""

    def __init__(self, path: Path, *, context: int, threads: int, gpu_layers: int) -> None:
        """Load the weights; `EngineFailed` where they cannot be."""
        import llama_cpp

        self._library = llama_cpp
        log = _log(llama_cpp)
        log.error = ""
        try:
            self._llama = llama_cpp.Llama(
                model_path=str(path),
                n_ctx=context,
                n_threads=threads,
                n_threads_batch=threads,
                n_gpu_layers=gpu_layers,
                verbose=False,
            )
        except (AssertionError, OSError, RuntimeError, ValueError) as err:
            raise EngineFailed(f"{path} cannot be loaded: {log.error or err}") from err
        self._context = self._llama.ctx
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._llama.model)
        # A function of C, because one of Python would need the interpreter's lock some thousand times a second: the
        # length of an empty text is false, that of a flag which was set is true.
        address = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value
        self._abort = llama_cpp.ggml_abort_callback(address)
        self._stop = Stop()
        self._piece = ctypes.create_string_buffer(1024)
        self.bos = self._special(self._llama.token_bos())
        self.eos = self._special(self._llama.token_eos())

    @property
    def on_gpu(self) -> bool:
        """Return whether the library was built for a graphics card."""
        return bool(self._library.llama_supports_gpu_offload())

    def _special(self, token: int) -> str:
        return self.piece(token, special=True).decode(errors="replace") if token >= 0 else ""

    def close(self) -> None:
        """Free everything."""
        self._llama.close()

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of a prompt, which may contain special ones."""
        begins = bool(self.bos) and text.startswith(self.bos)
        found: list[int] = self._llama.tokenize(
            text.encode(errors="replace"), add_bos=not begins, special=True
        )
        return found

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """Return what a token is as text, maybe a part of a letter."""
        # Not by the library's own function, which loses tokens of more than 32 bytes.
        length = self._library.llama_token_to_piece(
            self._vocabulary, token, self._piece, len(self._piece), 0, special
        )
        return self._piece.raw[: max(length, 0)]

    def ends(self, token: int) -> bool:
        """Return whether a token ends the answer."""
        return bool(self._library.llama_vocab_is_eog(self._vocabulary, token))

    def grammar(self, schema: Mapping[str, Any]) -> Any:
        """Return what makes the model keep to a JSON schema; `Unsupported` where that is not possible."""
        from llama_cpp.llama_grammar import json_schema_to_gbnf

        try:
            text = json_schema_to_gbnf(json.dumps(schema))
        except Exception as err:  # whatever its translator makes of a schema that it does not know
            raise Unsupported(f"the model cannot be made to keep to this schema: {err}") from err
        # Tried here, because the bindings use what they get without a look, and would crash.
        sampler = None
        if len(text) <= _MOST_RULES:
            sampler = self._library.llama_sampler_init_grammar(
                self._vocabulary, text.encode(), b"root"
            )
        if not sampler:
            raise Unsupported("the model cannot be made to keep to this schema")
        self._library.llama_sampler_free(sampler)
        return self._library.LlamaGrammar.from_string(text, verbose=False)

    def take_in(self, tokens: Sequence[int], stop: Stop) -> int:
        """Compute a prompt; return how many of its tokens were known. `Stopped` when `stop` was set."""
        self._stop = stop  # kept, for llama.cpp has but its address
        self._library.llama_set_abort_callback(
            self._context, self._abort, ctypes.addressof(stop.buffer)
        )
        # The last one is always computed: what comes next is drawn from its result.
        known = self._keep(_alike(self._llama.input_ids[: self._llama.n_tokens], tokens[:-1]))
        step = self._llama.n_batch
        for begin in range(known, len(tokens), step):
            self._compute(tokens[begin : begin + step])
        return known

    def _compute(self, tokens: Sequence[int]) -> None:
        if self._stop:
            raise Stopped
        try:
            self._llama.eval(tokens)
        except RuntimeError as err:
            self._keep(self._llama.n_tokens)
            if self._stop:
                raise Stopped from err
            raise EngineFailed(f"llama.cpp failed: {err}") from err

    def _keep(self, length: int) -> int:
        """Forget all but the first tokens; return how many are left: models with a rolling state keep all or none."""
        if self._library.llama_memory_seq_rm(self._memory, 0, length, -1):
            self._llama.n_tokens = length
        else:
            self._llama.reset()
        kept: int = self._llama.n_tokens
        return kept

    def write(self, *, temperature: float | None, grammar: Any) -> Iterator[int]:
        """Yield one token after the other, without end; `Stopped` when the prompt's `stop` was set."""
        settings = {} if temperature is None else {"temp": temperature}
        tokens = self._llama.generate([], reset=False, grammar=grammar, **settings)
        while True:
            if self._stop:
                raise Stopped
            try:
                token: int = next(tokens)
            except RuntimeError as err:
                self._keep(self._llama.n_tokens)
                if self._stop:
                    raise Stopped from err
                raise EngineFailed(f"llama.cpp failed: {err}") from err
            yield token

    def weigh(self) -> dict[str, float]:
        """Return the natural logarithms of how likely the first tokens of an answer are."""
        logits = self._library.llama_get_logits_ith(self._context, -1)
        values = np.ctypeslib.as_array(logits, shape=(self._llama.n_vocab(),)).astype(np.float64)
        values -= np.logaddexp.reduce(values)
        found: dict[str, float] = {}
        for token in np.argsort(values)[: -_WEIGHED - 1 : -1]:
            text = self.piece(int(token), special=True).decode(errors="replace")
            found[text] = float(np.logaddexp(found.get(text, -np.inf), values[token]))
        return found


class _Log:
    """Takes what llama.cpp would write to stderr."""

    def __init__(self, library: Any) -> None:
        self.error = ""
        """The first one since it was emptied."""
        self._callback = library.llama_log_callback(self._take)
        library.llama_log_set(self._callback, None)

    def _take(self, level: int, text: bytes, _: object) -> None:
        said = text.decode(errors="replace").strip()
        _LOGGER.debug("%s", said)
        if level == _ERROR and not self.error:
            self.error = said


@cache
def _log(library: Any) -> _Log:
    """Return the log of the library; it is kept, because llama.cpp has but its address."""
    return _Log(library)


def _alike(some: Any, tokens: Sequence[int]) -> int:
    """Return how many tokens two sequences have in common at their beginning."""
    length = min(len(some), len(tokens))
    differing = np.nonzero(np.asarray(some[:length]) != np.asarray(tokens[:length]))[0]
    return int(differing[0]) if len(differing) else length
