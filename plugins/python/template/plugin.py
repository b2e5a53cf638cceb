"""my-plugin drops the calls that were over before anybody could say something."""

from dataclasses import dataclass

from postcall import Event, SettingError, serve


@dataclass
class Settings:
    """What the operator can set in the plugins file."""

    seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.seconds < 0:
            raise SettingError("seconds", "must not be negative")


def transform(event: Event, settings: Settings) -> None:
    """Change the event in place, or drop, reject or split it."""
    if event.duration is None:
        return
    if event.duration < settings.seconds:
        event.drop("too short")
    event.extra["minutes"] = round(event.duration / 60, 1)


if __name__ == "__main__":
    serve("my-plugin", "0.1.0", transform, Settings)
