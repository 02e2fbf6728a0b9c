"""A persona that was chosen says hello, on satellites that are real entities of Home Assistant."""

from collections.abc import Awaitable, Callable
from typing import Any, override

import pytest
from homeassistant.components.assist_pipeline import PipelineEvent, async_get_pipeline
from homeassistant.components.assist_satellite import (
    AssistSatelliteAnnouncement,
    AssistSatelliteConfiguration,
    AssistSatelliteEntity,
    AssistSatelliteEntityFeature as Feature,
)
from homeassistant.components.assist_satellite.entity import AssistSatelliteState
from homeassistant.config_entries import ConfigEntry, ConfigFlow
from homeassistant.const import CONF_HOST, CONF_PORT, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockModule,
    MockPlatform,
    mock_config_flow,
    mock_integration,
    mock_platform,
)
from yarl import URL

from custom_components.wyoming_units.const import DOMAIN
from custom_components.wyoming_units.greeting import async_greet, async_note_speaker

from .minds import persona
from .scripted_node import NODE_ID, ScriptedNode, chat
from .test_persona_voice import AMY, BOB, Talk, node_that_speaks

VENDOR = "satellite_vendor"
HELLO = "Welcome on board!"


class Satellite(AssistSatelliteEntity):
    """A satellite of another integration, that notes what it shall say."""

    def __init__(self, name: str, pipeline: str | None, features: Feature) -> None:
        self._attr_name = self._attr_unique_id = name
        self._attr_supported_features = features
        self._attr_pipeline_entity_id = pipeline
        self._attr_tts_options = {"preferred_format": "wav"}
        self.said: list[tuple[str, AssistSatelliteAnnouncement]] = []
        self.failure: Exception | None = None

    @override
    def async_get_configuration(self) -> AssistSatelliteConfiguration:
        return AssistSatelliteConfiguration([], [], 1)

    @override
    async def async_set_configuration(self, config: AssistSatelliteConfiguration) -> None:
        raise NotImplementedError

    @override
    def on_pipeline_event(self, event: PipelineEvent) -> None:
        pass

    @override
    async def async_announce(self, announcement: AssistSatelliteAnnouncement) -> None:
        self._note("announce", announcement)

    @override
    async def async_start_conversation(
        self, start_announcement: AssistSatelliteAnnouncement
    ) -> None:
        self._note("start_conversation", start_announcement)

    def _note(self, how: str, announcement: AssistSatelliteAnnouncement) -> None:
        if self.failure is not None:
            raise self.failure
        self.said.append((how, announcement))

    def be(self, state: AssistSatelliteState) -> None:
        self._set_state(state)


type Add = Callable[..., Awaitable[Satellite]]
BOTH = Feature.ANNOUNCE | Feature.START_CONVERSATION


@pytest.fixture
def entry(hass: HomeAssistant, node: ScriptedNode) -> MockConfigEntry:
    """A node that thinks and speaks, with some personas."""
    node_that_speaks(node)
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Cellar",
        unique_id=NODE_ID,
        data={CONF_HOST: "127.0.0.1", CONF_PORT: node.port},
        subentries_data=[
            persona("Nemo", "nemo", voice="choir#Bob", greeting=HELLO),
            persona("Voiceless", "voiceless", greeting=HELLO),
            persona("Mute", "mute", voice="choir#Bob"),
        ],
    )
    entry.add_to_hass(hass)
    return entry


@pytest.fixture(autouse=True)
async def set_up(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    hass.config.internal_url = "http://127.0.0.1:8123"
    assert await async_setup_component(hass, "assist_pipeline", {})
    assert await async_setup_component(hass, "media_source", {})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


@pytest.fixture
def talk(hass: HomeAssistant, node: ScriptedNode) -> Talk:
    return Talk(hass, node)


@pytest.fixture
def add(hass: HomeAssistant) -> Add:
    """Adds satellites that use a pipeline."""

    async def add(name: str, pipeline: str, features: Feature = BOTH) -> Satellite:
        hass.states.async_set(f"select.{name}", pipeline_name(hass, pipeline))
        satellite = Satellite(name, f"select.{name}", features)
        domain = f"{VENDOR}_{name}"

        async def forward(hass: HomeAssistant, entry: ConfigEntry) -> bool:
            await hass.config_entries.async_forward_entry_setups(entry, [Platform.ASSIST_SATELLITE])
            return True

        async def add_entities(
            _hass: HomeAssistant, _entry: ConfigEntry, add: AddConfigEntryEntitiesCallback
        ) -> None:
            add([satellite])

        class Flow(ConfigFlow):
            pass

        mock_integration(hass, MockModule(domain, async_setup_entry=forward), False)
        mock_platform(hass, f"{domain}.config_flow", None)
        mock_platform(
            hass, f"{domain}.assist_satellite", MockPlatform(async_setup_entry=add_entities)
        )
        entry = MockConfigEntry(domain=domain)
        entry.add_to_hass(hass)
        with mock_config_flow(domain, Flow):
            assert await hass.config_entries.async_setup(entry.entry_id)
            await hass.async_block_till_done()
        return satellite

    return add


def pipeline_name(hass: HomeAssistant, pipeline_id: str) -> str:
    """Return the name of a pipeline, as selects show it."""
    return async_get_pipeline(hass, pipeline_id).name


async def greet(hass: HomeAssistant, entry: MockConfigEntry, who: str = "nemo") -> None:
    node = entry.runtime_data
    await async_greet(hass, node, "brain", node.personas.all[who])
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_the_only_satellite_with_the_agent_says_it_and_listens(
    hass: HomeAssistant, entry: MockConfigEntry, talk: Talk, add: Add
) -> None:
    kitchen = await add("kitchen", await talk.pipeline())
    other = await add("hall", await talk.pipeline("conversation.home_assistant"))
    await greet(hass, entry)
    ((how, announcement),) = kitchen.said
    assert how == "start_conversation"
    assert announcement.message == HELLO
    assert announcement.preannounce_media_id is None
    assert not other.said


async def test_the_satellite_that_was_spoken_to_last_says_it(
    hass: HomeAssistant, entry: MockConfigEntry, talk: Talk, add: Add
) -> None:
    pipeline = await talk.pipeline()
    kitchen, study = [await add(name, pipeline) for name in ("kitchen", "study")]
    await greet(hass, entry)
    assert not kitchen.said
    assert not study.said  # nobody knows where the user is
    for satellite in (kitchen.entity_id, study.entity_id, None):
        async_note_speaker(hass, entry.runtime_data, "brain", satellite)
    async_note_speaker(hass, entry.runtime_data, "another program", kitchen.entity_id)
    await greet(hass, entry)
    assert [len(each.said) for each in (kitchen, study)] == [0, 1]


async def test_the_agent_remembers_who_speaks_to_it(
    hass: HomeAssistant, entry: MockConfigEntry, talk: Talk, add: Add, node: ScriptedNode
) -> None:
    pipeline = await talk.pipeline()
    kitchen, study = [await add(name, pipeline) for name in ("kitchen", "study")]
    node.answers["chat"] = chat("Aye.")
    await talk.hear(study.entity_id)
    await greet(hass, entry)
    assert [len(each.said) for each in (kitchen, study)] == [0, 1]


async def test_it_is_said_in_the_voice_of_the_persona(
    hass: HomeAssistant, entry: MockConfigEntry, talk: Talk, add: Add, hass_client_no_auth: Any
) -> None:
    kitchen = await add("kitchen", await talk.pipeline())
    client = await hass_client_no_auth()
    for who in ("nemo", "voiceless"):
        await greet(hass, entry, who)
        _, announcement = kitchen.said[-1]
        response = await client.get(URL(announcement.media_id).path)
        assert (await response.read())[:4] == b"RIFF"
    assert talk.voices() == [BOB, AMY]


async def test_text_to_speech_of_others_speaks_as_it_does(
    hass: HomeAssistant, entry: MockConfigEntry, talk: Talk, add: Add, monkeypatch: Any
) -> None:
    kitchen = await add("kitchen", await talk.pipeline())
    monkeypatch.setattr(
        "custom_components.wyoming_units.greeting.async_is_our_speech", lambda *_: False
    )
    await greet(hass, entry)
    ((_, announcement),) = kitchen.said
    assert announcement.media_id_source == "tts"
    assert "persona_voice" not in announcement.original_media_id


@pytest.mark.parametrize(
    ("features", "said"),
    [
        (BOTH, ["start_conversation"]),
        (Feature.ANNOUNCE, ["announce"]),
        (Feature(0), []),
    ],
)
async def test_a_satellite_says_it_as_it_can(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    talk: Talk,
    add: Add,
    features: Feature,
    said: list[str],
) -> None:
    kitchen = await add("kitchen", await talk.pipeline(), features)
    await greet(hass, entry)
    assert [how for how, _ in kitchen.said] == said


async def test_a_satellite_that_would_talk_with_another_agent_only_announces_it(
    hass: HomeAssistant, entry: MockConfigEntry, talk: Talk, add: Add
) -> None:
    kitchen = await add("kitchen", await talk.pipeline("conversation.home_assistant"))
    async_note_speaker(hass, entry.runtime_data, "brain", kitchen.entity_id)
    await greet(hass, entry)
    assert [how for how, _ in kitchen.said] == ["announce"]


@pytest.mark.parametrize(
    "state",
    [
        AssistSatelliteState.LISTENING,
        AssistSatelliteState.PROCESSING,
        AssistSatelliteState.RESPONDING,
    ],
)
async def test_a_satellite_that_is_busy_is_not_interrupted(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    talk: Talk,
    add: Add,
    state: AssistSatelliteState,
) -> None:
    kitchen = await add("kitchen", await talk.pipeline())
    kitchen.be(state)
    await greet(hass, entry)
    assert not kitchen.said


async def test_who_has_no_greeting_says_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, talk: Talk, add: Add
) -> None:
    kitchen = await add("kitchen", await talk.pipeline())
    await greet(hass, entry, "mute")
    assert not kitchen.said


async def test_without_a_satellite_nothing_happens(
    hass: HomeAssistant, entry: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    async_note_speaker(hass, entry.runtime_data, "brain", "assist_satellite.gone")
    await greet(hass, entry)
    assert "greeting" not in caplog.text


@pytest.mark.parametrize("failure", [HomeAssistantError("no sound"), ValueError("no sound")])
async def test_a_satellite_that_fails_is_only_logged(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    talk: Talk,
    add: Add,
    caplog: pytest.LogCaptureFixture,
    failure: Exception,
) -> None:
    kitchen = await add("kitchen", await talk.pipeline())
    kitchen.failure = failure
    await greet(hass, entry)
    ours = [each for each in caplog.messages if "greeting" in each]
    assert ours == ["Nemo could not say its greeting: no sound"]
