"""detect-language writes into extra in which language a call was held, and how sure that is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from postcall import Event, SettingError, serve

__version__ = "0.1.0"

# What callers speak. Of few words the library takes any of its 139 languages as likely as the right one.
LANGUAGES = (
    "ar bg bn ca cs da de el en es et fa fi fr gu he hi hr hu id it ja ko lt lv mr ms nl no pa pl pt ro ru sk sl sq sr "
    "sv sw ta te th tl tr uk ur vi zh"
).split()

ENOUGH = 4000  # characters say it; more only cost
LETTERS = 12  # fewer say nothing where they are Latin
_PLACEHOLDER = re.compile(r"\[[A-Z][A-Z_]*(?:#\d+)?\]")  # of redact-pii: English, whatever the call is
_NOT_WORDS = re.compile(r"[\d_]+|https?://\S+|\S+@\S+")


@dataclass
class Settings:
    """What an operator can set."""

    min_confidence: float = 0.5  # below it nothing is written
    languages: list[str] = field(default_factory=lambda: list(LANGUAGES))  # ISO 639-1 codes that a call can be in

    def __post_init__(self) -> None:
        """Check the settings and load the model, which takes a second."""
        if not 0 <= self.min_confidence <= 1:
            raise SettingError("min_confidence", "must be between 0 and 1")
        if len(set(self.languages)) < 2:
            raise SettingError("languages", "must be two or more: between one there is nothing to choose")
        self.identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        known = set(self.identifier.labels)
        for i, code in enumerate(self.languages):
            if code not in known:
                raise SettingError(f"languages[{i}]", "is no code of a known language, such as en or es")
        self.identifier.set_languages(self.languages)


def transform(event: Event, settings: Settings) -> None:
    """Write language and languageConfidence, unless the call is too short or the language not sure enough."""
    text = spoken(event)
    if letters(text) < LETTERS and (text.isascii() or not letters(text)):
        return
    language, confidence = settings.identifier.classify(text)
    if confidence >= settings.min_confidence:
        event.extra["language"] = language
        event.extra["languageConfidence"] = round(confidence, 3)


def spoken(event: Event) -> str:
    """Return what the caller said, or all that was said where that is little."""
    caller = words(turn.content for turn in event.transcript if turn.role == "user")
    if letters(caller) >= LETTERS:
        return caller
    return words(turn.content for turn in event.transcript) or words([event.transcript_text])


def words(texts: Iterable[str]) -> str:
    """Join texts up to what is enough, without what is in no language."""
    joined = ""
    for text in texts:
        joined += " " + _NOT_WORDS.sub(" ", _PLACEHOLDER.sub(" ", text[:ENOUGH]))
        if len(joined) > ENOUGH:
            break
    return " ".join(joined[:ENOUGH].split())


def letters(text: str) -> int:
    """Count the letters."""
    return sum(map(str.isalpha, text))


if __name__ == "__main__":
    serve("detect-language", __version__, transform, Settings)
