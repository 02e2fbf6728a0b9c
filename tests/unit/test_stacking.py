"""Features and answers of SenseVoice, compared with what is written out here by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from wyoming_units.engines._fbank import KEYWORDS, SENSE_VOICE, Frames
from wyoming_units.speech.stacking import (
    decode,
    read_normalisation,
    read_tokens,
    stack,
    write,
)

pytest.importorskip("kaldi_native_fbank")

RATE = 16_000
NOISE = np.random.default_rng(7).normal(0, 0.1, 3 * RATE).astype(np.float32)


def mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return 1127.0 * np.log(1.0 + np.asarray(hertz, np.float64) / 700.0)


def filter_banks(samples: NDArray[np.float32], window: str) -> NDArray[np.float64]:
    """Return Kaldi's log filter banks (https://kaldi-asr.org/doc/feat.html), whole frames only."""
    scaled = samples.astype(np.float64) * 32_768
    count = (len(scaled) - 400) // 160 + 1
    frames = np.stack([scaled[160 * n : 160 * n + 400] for n in range(count)])
    frames -= frames.mean(axis=1, keepdims=True)
    before = np.concatenate((frames[:, :1], frames[:, :-1]), axis=1)
    frames = frames - 0.97 * before
    phase = 2 * np.pi * np.arange(400) / 399
    frames *= {
        "hamming": 0.54 - 0.46 * np.cos(phase),
        "povey": (0.5 - 0.5 * np.cos(phase)) ** 0.85,
    }[window]
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    edges = np.linspace(mel(20), mel(8_000), 82)
    bins = mel(np.arange(257) * RATE / 512)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    weights = np.maximum(0, np.minimum(rising, falling))
    weights[:, 256] = 0  # Kaldi leaves the last one out
    return np.log(np.maximum(power @ weights.T, np.finfo(np.float32).eps))


def test_features_are_what_kaldi_computes() -> None:
    ours = Frames(SENSE_VOICE).feed(NOISE, last=True)
    np.testing.assert_allclose(ours, filter_banks(NOISE, "hamming"), atol=1e-3)
    povey = Frames({**KEYWORDS, "frame_opts.snip_edges": True}).feed(NOISE, last=True)
    np.testing.assert_allclose(povey, filter_banks(NOISE, "povey"), atol=1e-3)


@pytest.mark.parametrize("options", [SENSE_VOICE, KEYWORDS])
@pytest.mark.parametrize("piece", [1, 159, 160, 1_601])
def test_frames_are_the_same_in_whatever_pieces_the_audio_comes(
    options: dict[str, object], piece: int
) -> None:
    audio = NOISE[:8_000]
    frames = Frames(options)
    parts = [frames.feed(audio[at : at + piece]) for at in range(0, len(audio), piece)]
    parts.append(frames.feed(audio[:0], last=True))
    np.testing.assert_array_equal(np.concatenate(parts), Frames(options).feed(audio, last=True))


def test_stacks_are_seven_frames_six_apart() -> None:
    frames = np.arange(20 * 2, dtype=np.float32).reshape(20, 2)
    stacked = stack(frames)
    assert stacked.shape == ((20 - 7) // 6 + 1, 14)
    for row, values in enumerate(stacked):
        assert values.tolist() == frames[6 * row : 6 * row + 7].ravel().tolist()
    assert stack(frames[:6]).shape == (0, 14)


def test_normalisation_is_for_a_frame_or_for_a_stack() -> None:
    text = (
        "<Nnet>\n<Splice> 560 560\n[ 0 ]\n<AddShift> 2 2\n<LearnRateCoef> 0 [ -1.5 2 ]\n"
        "<Rescale> 2 2\n<LearnRateCoef> 0 [ 0.5 4 ]\n</Nnet>\n"
    )
    shift, scale = read_normalisation(text, 6)
    assert shift.tolist() == [-1.5, 2, -1.5, 2, -1.5, 2]
    assert scale.tolist() == [0.5, 4, 0.5, 4, 0.5, 4]
    with pytest.raises(ValueError, match="2 values for features of 5"):
        read_normalisation(text, 5)
    with pytest.raises(ValueError, match="no Rescale"):
        read_normalisation(text.replace("Rescale", "Scale"), 6)


@pytest.mark.parametrize("text", ["<blank>\n<|en|>\n▁a b\n", "<blank> 0\n<|en|> 1\n▁a b 2\n"])
def test_lists_of_tokens_may_have_numbers(text: str) -> None:
    assert read_tokens(text) == ("<blank>", "<|en|>", "▁a b")


def logits(tokens: list[int], chance: float = 0.9, vocabulary: int = 5) -> NDArray[np.float32]:
    """Return an answer in which each of the tokens has that probability."""
    table = np.full((len(tokens), vocabulary), (1 - chance) / (vocabulary - 1))
    table[np.arange(len(tokens)), tokens] = chance
    return np.log(table).astype(np.float32) + np.float32(3)


def test_repeats_and_blanks_are_left_out_and_tags_are_no_tokens() -> None:
    heard = decode(logits([4, 1, 1, 3, 3, 3, 0, 3, 2, 2, 0, 1]), 11)
    assert heard.tokens == (3, 3, 2)
    assert heard.language == 4
    assert heard.confidence == pytest.approx(0.9)
    assert decode(logits([4, 1, 1, 3, 0, 0]), 6).tokens == ()
    assert decode(logits([4, 1, 1, 3, 0, 0]), 6).confidence is None
    assert decode(logits([4, 1]), 2).tokens == ()


def test_words_begin_where_the_mark_is() -> None:
    assert write(["▁turn", "▁on", "<|HAPPY|>", "▁the", "▁li", "ght", "."]) == "turn on the light."
    assert write(["打", "开"]) == "打开"
