"""Closed questions of Home Assistant: what may be answered to them, and answers by their likelihood."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from homeassistant.components import ai_task

if TYPE_CHECKING:  # Home Assistant 2026.10 has none of these
    from homeassistant.components.ai_task import EvaluationAnswer, EvaluationQuestion

MOST: Final = 20
"""Alternatives between which a model can choose."""
YES_OR_NO: Final = ("yes", "no")


def alternatives(question: EvaluationQuestion) -> Sequence[str]:
    """Return the texts between which the model has to choose."""
    if question["type"] == "choice":
        return [f"{name}: {meaning}" for name, meaning in question["criteria"].items()]
    return question["criteria"] if question["type"] == "score" else YES_OR_NO


def answer(question: EvaluationQuestion, likely: Sequence[float]) -> EvaluationAnswer:
    """Return the answer by how likely each alternative is, in [0, 1]."""
    if question["type"] == "choice":
        by_name = dict(zip(question["criteria"], likely, strict=True))
        most = max(by_name, key=by_name.__getitem__)
        return ai_task.ChoiceAnswer(choice=most, probabilities=by_name)
    if question["type"] == "score":
        expected = sum(level * each for level, each in enumerate(likely))
        return ai_task.ScoreAnswer(score=expected, probabilities=[*likely])
    return ai_task.NoulAnswer(noul=likely[0])
