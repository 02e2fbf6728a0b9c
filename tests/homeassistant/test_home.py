"""`context.home`: what a unit is told about the home."""

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import pytest
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
)
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.wyoming_units.home import async_get_home
from custom_components.wyoming_units.sentences import async_get_sentences
from wyoming_units.speech.home import Home, HomeArea, HomeEntity, HomeFloor


@pytest.fixture(autouse=True)
async def home(hass: HomeAssistant) -> None:
    """A lamp in the kitchen by its own area, a blind in the study by its device's, and more."""
    assert await async_setup_component(hass, "conversation", {})
    floor = fr.async_get(hass).async_create("Ground floor", aliases={"downstairs"})
    areas = ar.async_get(hass)
    kitchen = areas.async_create("Kitchen", aliases={"cook room"}, floor_id=floor.floor_id)
    study = areas.async_create("Study")

    owner = MockConfigEntry(domain="test")
    owner.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=owner.entry_id, identifiers={("test", "blind")}, name="Blind"
    )
    dr.async_get(hass).async_update_device(device.id, area_id=study.id)

    entities = er.async_get(hass)
    lamp = entities.async_get_or_create("light", "test", "lamp", original_name="Lamp")
    entities.async_update_entity(
        lamp.entity_id, area_id=kitchen.id, aliases=[er.COMPUTED_NAME, "ceiling light", " "]
    )
    blind = entities.async_get_or_create(
        "cover", "test", "blind", device_id=device.id, has_entity_name=True, config_entry=owner
    )
    secret = entities.async_get_or_create("lock", "test", "vault", original_name="Vault")
    nameless = entities.async_get_or_create("light", "test", "nameless", original_name="Nobody")
    entities.async_update_entity(nameless.entity_id, aliases=[])

    hass.states.async_set(lamp.entity_id, "off", {"friendly_name": "Lamp"})
    hass.states.async_set(
        blind.entity_id, "open", {"friendly_name": "Blind", "device_class": "blind"}
    )
    hass.states.async_set(secret.entity_id, "locked", {"friendly_name": "Vault"})
    hass.states.async_set(nameless.entity_id, "off", {"friendly_name": "Nobody"})
    hass.states.async_set("light.yaml", "off", {"friendly_name": "Yaml light"})
    await hass.async_block_till_done()
    async_expose_entity(hass, "conversation", secret.entity_id, False)


async def names(hass: HomeAssistant) -> set[str]:
    return {entity["name"] for entity in (await async_get_home(hass, "en", None))["entities"]}


async def test_it_holds_what_is_exposed_with_the_names_that_people_use(hass: HomeAssistant) -> None:
    kitchen = ar.async_get(hass).async_get_area_by_name("Kitchen")
    assert await async_get_home(hass, "en-GB", kitchen) == {
        "language": "en-GB",
        "area": "Kitchen",
        "entities": [
            {
                "name": "Lamp",
                "aliases": ["ceiling light"],
                "domain": "light",
                "device_class": None,
                "area": "Kitchen",
            },
            {
                "name": "Blind",
                "aliases": [],
                "domain": "cover",
                "device_class": "blind",
                "area": "Study",
            },
            {
                "name": "Yaml light",
                "aliases": [],
                "domain": "light",
                "device_class": None,
                "area": None,
            },
        ],
        "areas": [
            {"name": "Kitchen", "aliases": ["cook room"], "floor": "Ground floor"},
            {"name": "Study", "aliases": [], "floor": None},
        ],
        "floors": [{"name": "Ground floor", "aliases": ["downstairs"]}],
        "sentences": [],
    }


async def test_a_node_reads_it(hass: HomeAssistant) -> None:
    kitchen = ar.async_get(hass).async_get_area_by_name("Kitchen")
    read = Home.from_dict(await async_get_home(hass, "en", kitchen))
    assert (read.language, read.area) == ("en", "Kitchen")
    assert read.entities[0] == HomeEntity(
        name="Lamp", aliases=("ceiling light",), domain="light", area="Kitchen"
    )
    assert read.areas[0] == HomeArea(name="Kitchen", aliases=("cook room",), floor="Ground floor")
    assert read.floors == (HomeFloor(name="Ground floor", aliases=("downstairs",)),)


async def test_it_is_kept_while_only_states_change(hass: HomeAssistant) -> None:
    entities = (await async_get_home(hass, "en", None))["entities"]
    hass.states.async_set("light.yaml", "on", {"friendly_name": "Yaml light"})
    await hass.async_block_till_done()
    assert (await async_get_home(hass, "nl", None))["entities"] is entities


def rename_entity(hass: HomeAssistant) -> None:
    er.async_get(hass).async_update_entity("light.test_lamp", name="Big lamp")


def rename_device(hass: HomeAssistant) -> None:
    [device] = dr.async_get(hass).devices
    dr.async_get(hass).async_update_device(device.id, name_by_user="Shutter")


def rename_area(hass: HomeAssistant) -> None:
    area = ar.async_get(hass).async_get_area_by_name("Kitchen")
    assert area is not None
    ar.async_get(hass).async_update(area.id, name="Galley")


def rename_floor(hass: HomeAssistant) -> None:
    floor = fr.async_get(hass).async_get_floor_by_name("Ground floor")
    assert floor is not None
    fr.async_get(hass).async_update(floor.floor_id, name="Parterre")


def expose(hass: HomeAssistant) -> None:
    async_expose_entity(hass, "conversation", "lock.test_vault", True)


def hide(hass: HomeAssistant) -> None:
    async_expose_entity(hass, "conversation", "light.yaml", False)


def give_alias(hass: HomeAssistant) -> None:
    er.async_get(hass).async_update_entity("light.test_lamp", aliases=["sun of the ceiling"])


def move_entity(hass: HomeAssistant) -> None:
    attic = ar.async_get(hass).async_create("Attic")
    er.async_get(hass).async_update_entity("light.test_lamp", area_id=attic.id)


def move_device(hass: HomeAssistant) -> None:
    [device] = dr.async_get(hass).devices
    attic = ar.async_get(hass).async_create("Attic")
    dr.async_get(hass).async_update_device(device.id, area_id=attic.id)


def move_area(hass: HomeAssistant) -> None:
    area = ar.async_get(hass).async_get_area_by_name("Kitchen")
    assert area is not None
    roof = fr.async_get(hass).async_create("Roof")
    ar.async_get(hass).async_update(area.id, floor_id=roof.floor_id)


def come(hass: HomeAssistant) -> None:
    hass.states.async_set("fan.new", "on", {"friendly_name": "New fan"})


def go(hass: HomeAssistant) -> None:
    hass.states.async_remove("light.yaml")


@pytest.mark.parametrize(
    ("change", "new", "old"),
    [
        (rename_entity, "Big lamp", "'Lamp'"),
        (rename_device, "Shutter", "Blind"),
        (rename_area, "Galley", "Kitchen"),
        (rename_floor, "Parterre", "Ground floor"),
        (expose, "Vault", None),
        (hide, "Lamp", "Yaml"),
        (give_alias, "sun of the ceiling", "'ceiling light'"),
        (move_entity, "'area': 'Attic'", "'area': 'Kitchen'"),
        (move_device, "'area': 'Attic'", "'area': 'Study'"),
        (move_area, "'floor': 'Roof'", "'floor': 'Ground floor'"),
        (come, "New fan", None),
        (go, "Lamp", "Yaml"),
    ],
)
async def test_every_change_of_the_home_is_in_the_next_request(
    hass: HomeAssistant, change: Callable[[HomeAssistant], Any], new: str, old: str | None
) -> None:
    for _ in range(2):  # also the second time it is asked for, kept or not
        await async_get_home(hass, "en", None)
    change(hass)
    await hass.async_block_till_done()
    told = str(await async_get_home(hass, "en", None))
    assert new in told
    assert old is None or old not in told


async def seconds(work: Awaitable[object]) -> float:
    began = perf_counter()
    await work
    return perf_counter() - began


async def test_a_big_home_is_built_in_milliseconds_and_kept_for_free(hass: HomeAssistant) -> None:
    registry = er.async_get(hass)
    for number in range(500):
        entry = registry.async_get_or_create(
            "light", "test", f"bulk-{number}", original_name=f"Lamp {number}"
        )
        hass.states.async_set(entry.entity_id, "off", {"friendly_name": f"Lamp {number}"})
    await hass.async_block_till_done()
    await async_get_sentences(hass, "en")  # read once for the whole life of Home Assistant
    build, keep = [await seconds(async_get_home(hass, "en", None)) for _ in range(2)]
    print(f"500 entities: built in {build * 1000:.1f} ms, kept in {keep * 1e6:.1f} us")
    assert await names(hass) >= {f"Lamp {number}" for number in range(500)}
    assert build < 0.25
    assert keep < 0.005
