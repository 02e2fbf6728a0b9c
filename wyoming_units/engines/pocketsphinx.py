"""Stopgap until the real engine lands; the owner of this file may overwrite it at any time."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np

from wyoming_units.engines.base import Attribution, EngineInfo, Model, Recognition
from wyoming_units.errors import UnknownModel
from wyoming_units.speech.home import Home
from wyoming_units.speech.pronounce import arpabet

_MAKER = Attribution(name="CMU Sphinx", url="https://github.com/cmusphinx/pocketsphinx")
_LANGUAGES = ("en", "en-US", "en-GB", "en-AU", "en-CA", "en-IN", "en-NZ")


class PocketSphinxRecognizer:
    def __init__(self):
        self.info = EngineInfo(
            name="pocketsphinx",
            description="PocketSphinx",
            version=version("pocketsphinx"),
            attribution=_MAKER,
            models=(
                Model(
                    name="en-us-home-commands",
                    languages=_LANGUAGES,
                    description="Home commands",
                    attribution=_MAKER,
                ),
            ),
        )

    def load(self):
        import pocketsphinx

        from wyoming_units.engines._pocketsphinx_grammar import Templates

        self.ps = pocketsphinx
        self.templates = Templates.load()
        base = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))
        self.words = {}
        for line in base.read_text().splitlines():
            w, p = line.split(None, 1)
            self.words.setdefault(w.split("(")[0], []).append(p)

    def close(self):
        pass

    @lru_cache(maxsize=8)
    def _decoder(self, home):
        from wyoming_units.engines._pocketsphinx_grammar import build_grammar
        from wyoming_units.engines.espeak_library import phonemes

        g = build_grammar(self.templates, home)
        with NamedTemporaryFile("w", suffix=".dict", delete=False) as f:
            for w in sorted(g.automaton.words):
                for i, p in enumerate(
                    self.words.get(w) or [" ".join(arpabet(phonemes(w, "en-us")))]
                ):
                    f.write(f"{w}{'' if i == 0 else f'({i + 1})'} {p}\n")
        dec = self.ps.Decoder(lm=None, loglevel="FATAL", dict=f.name, bestpath=False)
        a = g.automaton
        fin = len(a.arcs)
        tr = [(s, t, 1.0, w) for s, arcs in enumerate(a.arcs) for w, t in arcs.items()]
        tr += [(s, fin, 1.0) for s in a.accepting]
        dec.add_fsg("g", dec.create_fsg("g", a.start, fin, tr))
        dec.activate_search("g")
        return dec, g

    def start(self, request):
        if request.model not in (None, "en-us-home-commands"):
            raise UnknownModel(f"no model {request.model}")
        if request.language not in (None, *_LANGUAGES):
            raise UnknownModel("English only")
        return _Stream(*self._decoder(request.home or Home()))


class _Stream:
    def __init__(self, dec, g):
        self.dec, self.g = dec, g
        dec.start_utt()
        self.open = True
        self.feed(np.zeros(6400, np.float32))

    def feed(self, samples):
        self.dec.process_raw((np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes())
        return None

    def finish(self):
        self.feed(np.zeros(6400, np.float32))
        self.close()
        hyp = self.dec.hyp()
        return Recognition(text=self.g.write(hyp.hypstr.split()) if hyp else "")

    def close(self):
        if self.open:
            self.open = False
            self.dec.end_utt()
