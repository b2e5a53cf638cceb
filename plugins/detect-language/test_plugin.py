from pathlib import Path
from typing import Any

import pytest

from plugin import LANGUAGES, Settings, transform
from postcall import Event, SettingError, Turn
from postcall.testing import check, decode, events, fuzzed, load, run

CALLS = load(Path(__file__).with_name("testdata") / "calls.ndjson")


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings()


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.call_id)
def test_calls(call: Event, settings: Settings) -> None:
    want = call.call_id.partition("-")[0]
    (event,) = run(transform, [call], settings)
    assert event.extra.get("language", "none") == want
    assert settings.min_confidence <= event.extra.get("languageConfidence", 1) <= 1


def test_only_extra_changes(settings: Settings) -> None:
    for before, after in zip(given := [*CALLS, *events(), *fuzzed(100)], run(transform, given, settings)):
        added = {"language", "languageConfidence"} & set(after.extra)
        assert {n: after.extra[n] for n in set(after.extra) - added} == {n: before.extra[n] for n in set(before.extra) - added}
        after.message.extra = before.message.extra
        assert after.message == before.message


def test_what_the_sender_says_stays_where_nothing_is_found(settings: Settings) -> None:
    (event,) = run(transform, [Event("1", extra={"language": "tlh"})], settings)
    assert dict(event.extra) == {"language": "tlh"}


def test_only_the_languages_that_are_set() -> None:
    german = Event("1", transcript=[Turn(role="user", content="Guten Tag, ich möchte bitte meinen Termin verschieben")])
    (event,) = run(transform, [german], Settings(languages=["en", "es"], min_confidence=0))
    assert event.extra["language"] in ("en", "es")


def test_below_the_confidence_nothing_is_written() -> None:
    mixed = Event("1", transcript=[Turn(role="user", content="hola I want una cita for tomorrow por favor okay")])
    assert "language" in run(transform, [mixed], Settings(min_confidence=0))[0].extra
    assert "language" not in run(transform, [mixed], Settings(min_confidence=0.99))[0].extra


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"min_confidence": 2}, '"min_confidence" must be between 0 and 1'),
        ({"languages": ["en"]}, '"languages" must be two or more'),
        ({"languages": ["en", "english"]}, r'"languages\[1\]" is no code of a known language'),
        ({"languages": "en"}, '"languages" can\'t be a string, it must be a list'),
        ({"min_confidense": 1}, 'unknown setting "min_confidense", did you mean "min_confidence"?'),
    ],
)
def test_settings_are_checked(values: "dict[str, Any]", says: str) -> None:
    with pytest.raises(SettingError, match=says):
        decode(Settings, values)


def test_every_default_is_known(settings: Settings) -> None:
    assert settings.languages == list(LANGUAGES) == sorted(set(LANGUAGES))


def test_contract(settings: Settings) -> None:
    check(transform, settings)
