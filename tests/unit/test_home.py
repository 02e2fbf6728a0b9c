"""`context.home` is read whole or refused with the place of the first mistake."""

from __future__ import annotations

from typing import Any

import pytest

from wyoming_units.errors import BadRequest
from wyoming_units.speech.home import Home, HomeArea, HomeEntity, HomeFloor

WHOLE: dict[str, Any] = {
    "language": "en",
    "area": "Office",
    "entities": [
        {"name": "Lamp", "domain": "light", "aliases": ["Glow"], "area": "Office"},
        {"name": "Blind", "domain": "cover", "device_class": "blind"},
    ],
    "areas": [{"name": "Office", "aliases": ["Study"], "floor": "Ground"}],
    "floors": [{"name": "Ground"}],
    "sentences": ["good night"],
}


def test_a_whole_home_is_read() -> None:
    assert Home.from_dict(WHOLE) == Home(
        language="en",
        area="Office",
        entities=(
            HomeEntity(name="Lamp", domain="light", aliases=("Glow",), area="Office"),
            HomeEntity(name="Blind", domain="cover", device_class="blind"),
        ),
        areas=(HomeArea(name="Office", aliases=("Study",), floor="Ground"),),
        floors=(HomeFloor(name="Ground"),),
        sentences=("good night",),
    )


def test_a_home_survives_being_written_and_read() -> None:
    home = Home.from_dict(WHOLE)
    assert Home.from_dict(home.as_dict()) == home


def test_nothing_is_a_home_without_names() -> None:
    assert Home.from_dict({}) == Home()


def test_homes_with_the_same_content_share_a_cache_entry() -> None:
    assert len({Home.from_dict(WHOLE), Home.from_dict(WHOLE)}) == 1


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (None, "home must be an object"),
        ([], "home must be an object"),
        ({"entities": {}}, "home.entities must be a list"),
        ({"entities": "lamp"}, "home.entities must be a list"),
        ({"entities": [1]}, r"home.entities\[0\] must be an object"),
        ({"entities": [{"domain": "light"}]}, r"home.entities\[0\].name is missing"),
        ({"entities": [{"name": " ", "domain": "light"}]}, r"home.entities\[0\].name is missing"),
        ({"entities": [{"name": "Lamp"}]}, r"home.entities\[0\].domain is missing"),
        ({"areas": [{"name": "A"}, {"name": 2}]}, r"home.areas\[1\].name must be text"),
        ({"areas": [{"name": "A", "aliases": [1]}]}, r"home.areas\[0\].aliases must be a list"),
        ({"sentences": [None]}, "home.sentences must be a list of texts"),
        ({"language": 3}, "home.language must be text"),
    ],
)
def test_a_wrong_home_is_refused_with_its_place(data: object, where: str) -> None:
    with pytest.raises(BadRequest, match=where):
        Home.from_dict(data)
