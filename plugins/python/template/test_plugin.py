import pytest

from plugin import Settings, transform
from postcall import Event, SettingError
from postcall.testing import check, decode, run


def test_short_calls_are_dropped() -> None:
    short, long = run(transform, [Event("1", duration=3.0), Event("2", duration=90.0)], Settings())
    assert (short.decision, short.reason) == ("drop", "too short")
    assert (long.decision, long.extra["minutes"]) == ("keep", 1.5)


def test_settings_are_checked() -> None:
    with pytest.raises(SettingError, match='"seconds" must not be negative'):
        decode(Settings, {"seconds": -1})


def test_contract() -> None:
    check(transform, Settings())
