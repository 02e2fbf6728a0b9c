"""Blocks of a decoder become one sound."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from wyoming_units.speech.joining import Block, Joiner, blocks

HOP, SIZE = 512, 128
Audio = NDArray[np.float32]


def exact(frames: int) -> Audio:
    """Return what a decoder makes of frames that hears nothing around them."""
    return np.random.default_rng(3).normal(0, 0.3, frames * HOP).astype(np.float32)


def joined(
    frames: int,
    decode: Callable[[Block], Audio],
    *,
    overlap: int = 24,
    fade: int = 512,
    total: int | None = None,
) -> list[Audio]:
    joiner = Joiner(
        hop=HOP,
        overlap=overlap,
        fade=fade,
        total=frames * HOP if total is None else total,
    )
    return [joiner.push(block, decode(block)) for block in blocks(frames, SIZE, overlap)]


def padded(sound: Audio, block: Block) -> Audio:
    audio = np.zeros(SIZE * HOP, np.float32)
    piece = sound[block.start * HOP : block.stop * HOP]
    audio[: len(piece)] = piece
    return audio


@pytest.mark.parametrize("frames", [1, 127, 128, 129, 200, 232, 233, 1000])
@pytest.mark.parametrize("overlap", [1, 2, 24, 100])
def test_blocks_cover_all_frames_and_share_some_with_their_neighbours(
    frames: int, overlap: int
) -> None:
    found = blocks(frames, SIZE, overlap)
    assert (found[0].start, found[-1].stop) == (0, frames)
    assert [block.last for block in found] == [False] * (len(found) - 1) + [True]
    assert all(one.stop - other.start >= overlap for one, other in pairwise(found))
    assert all(block.stop - block.start == min(SIZE, frames) for block in found)
    fewest = 1 + max(0, -(-(frames - SIZE) // (SIZE - overlap)))
    assert len(found) == fewest


def test_nothing_needs_no_block() -> None:
    assert blocks(0, SIZE, 24) == []


@pytest.mark.parametrize("frames", [1, 127, 128, 129, 131, 200, 233, 1000])
@pytest.mark.parametrize("overlap", [1, 2, 24])
def test_what_is_the_same_in_every_block_is_given_back_as_it_is(frames: int, overlap: int) -> None:
    sound = exact(frames)
    made = joined(frames, lambda block: padded(sound, block), overlap=overlap)
    np.testing.assert_allclose(np.concatenate(made), sound, atol=1e-6)


def test_each_block_gives_all_that_no_later_one_changes() -> None:
    made = joined(400, lambda block: padded(exact(400), block))
    back = (24 * HOP + 512) // 2
    assert len(made[0]) == SIZE * HOP - back
    assert [len(piece) for piece in made[1:-1]] == [(SIZE - 24) * HOP] * (len(made) - 2)


def test_two_renditions_fade_into_each_other_without_a_step() -> None:
    levels = iter((0.5, -0.5))

    def decode(block: Block) -> Audio:
        return np.full(SIZE * HOP, next(levels), np.float32)

    sound = np.concatenate(joined(200, decode))
    steps = np.diff(sound)
    assert steps.min() == pytest.approx(-1 / 512, abs=1e-5)
    assert steps.max() == 0
    middle = SIZE * HOP - 24 * HOP // 2
    assert (sound[: middle - 256] == 0.5).all()
    assert (sound[middle + 256 :] == -0.5).all()
    assert sound[middle - 1 : middle + 1].mean() == pytest.approx(0, abs=1e-6)


def test_what_a_decoder_makes_of_the_edges_of_a_block_is_not_heard() -> None:
    sound = exact(500)

    def decode(block: Block) -> Audio:
        audio = padded(sound, block)
        if block.start:
            audio[: 11 * HOP] = 9
        if not block.last:
            audio[-11 * HOP :] = 9
        return audio

    np.testing.assert_allclose(np.concatenate(joined(500, decode)), sound, atol=1e-6)


@pytest.mark.parametrize("total", [0, 100, 65_000, 199 * HOP])
def test_sound_ends_where_the_text_does(total: int) -> None:
    sound = exact(200)
    made = np.concatenate(joined(200, lambda block: padded(sound, block), total=total))
    np.testing.assert_allclose(made, sound[:total], atol=1e-6)
