from dataclasses import dataclass, field
from typing import Any, Dict, List, Literal, Optional, Union  # noqa: UP035 - both spellings are read

import pytest

from postcall import SettingError
from postcall.settings import check_type, decode
from postcall.testing import decode as from_dict


@dataclass
class Rule:
    name: str
    weight: float = 1.0


@dataclass
class Settings:
    token: str
    count: int = 3
    share: float = 0.5
    loud: bool = False
    mode: Literal["fast", "slow"] = "fast"
    region: Optional[str] = None
    rules: List[Rule] = field(default_factory=list)  # noqa: UP006 - both spellings are read
    words: Dict[str, List[str]] = field(default_factory=dict)  # noqa: UP006
    either: Union[int, str] = 0
    anything: Any = None
    made: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.count < 0:
            raise SettingError("count", "must not be negative")
        if self.token == "s3cret bad":
            raise ValueError(self.token)
        self.made = self.count * 2


def test_settings_are_read() -> None:
    assert decode(Settings, b'{"token":"x"}') == Settings("x")
    got = from_dict(
        Settings,
        {
            "token": "x", "count": 4, "share": 1, "loud": True, "mode": "slow", "region": "US", "either": "a", "anything": [1],
            "rules": [{"name": "a"}, {"name": "b", "weight": 2}], "words": {"en": ["yes"]},
        },
    )  # fmt: skip
    want = Settings("x", 4, 1.0, True, "slow", "US", [Rule("a"), Rule("b", 2.0)], {"en": ["yes"]}, "a", [1])
    assert got == want
    assert isinstance(got.share, float)
    assert got.made == 8


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("{}", 'settings: "token" is missing'),
        ("", 'settings: "token" is missing'),
        ("[]", "settings: not a JSON object"),
        ("null", "settings: not a JSON object"),
        ('{"token":"s3cret', "settings: no valid JSON at byte 9"),
        ('{"token":s3cret}', "settings: no valid JSON at byte 9"),
        ("[" * 100_000, "settings: no valid JSON"),
        ('{"tokn":"s3cret"}', 'settings: unknown setting "tokn", did you mean "token"?'),
        ('{"nonsense":"s3cret"}', 'settings: unknown setting "nonsense"'),
        ('{"made":1,"token":"x"}', 'settings: unknown setting "made", did you mean "mode"?'),
        ('{"token":1}', 'settings: "token" can\'t be a whole number, it must be a string'),
        ('{"token":null}', 'settings: "token" can\'t be null, it must be a string'),
        ('{"token":"x","count":"s3cret"}', 'settings: "count" can\'t be a string, it must be a whole number'),
        ('{"token":"x","count":true}', 'settings: "count" can\'t be a boolean, it must be a whole number'),
        ('{"token":"x","count":1.5}', 'settings: "count" can\'t be a number, it must be a whole number'),
        ('{"token":"x","count":-1}', 'settings: "count" must not be negative'),
        ('{"token":"x","share":NaN}', "settings: no valid JSON"),
        ('{"token":"x","share":[]}', 'settings: "share" can\'t be a list, it must be a number'),
        ('{"token":"x","loud":1}', 'settings: "loud" can\'t be a whole number, it must be a boolean'),
        ('{"token":"x","mode":"s3cret"}', 'settings: "mode" must be one of "fast", "slow"'),
        ('{"token":"x","region":1}', 'settings: "region" can\'t be a whole number, it must be a string'),
        ('{"token":"x","rules":{}}', 'settings: "rules" can\'t be an object, it must be a list'),
        (
            '{"token":"x","rules":[{"name":"a"},{"nam":"s3cret"}]}',
            'settings: unknown setting "rules[1].nam", did you mean "rules[1].name"?',
        ),
        ('{"token":"x","rules":[{}]}', 'settings: "rules[0].name" is missing'),
        ('{"token":"x","words":{"en":[1]}}', 'settings: "words.en[0]" can\'t be a whole number, it must be a string'),
        ('{"token":"x","either":[]}', 'settings: "either" can\'t be a list, it must be a string'),
    ],
)
def test_what_is_wrong_is_named_and_its_value_is_not(data: str, says: str) -> None:
    with pytest.raises(SettingError) as caught:
        decode(Settings, data.encode())
    assert str(caught.value) == says
    assert "s3cret" not in str(caught.value)


def test_an_error_of_the_author_tells_its_place_alone() -> None:
    with pytest.raises(SettingError, match=r"^settings: Settings raised ValueError at test_settings.py:\d+$"):
        from_dict(Settings, {"token": "s3cret bad"})


class NotADataclass:
    pass


@dataclass
class Odd:
    when: complex = 0j


def test_settings_that_can_not_be_read_show_at_once() -> None:
    check_type(Settings)
    with pytest.raises(TypeError, match="NotADataclass must be a dataclass"):
        check_type(NotADataclass)
    with pytest.raises(TypeError, match=r"Odd\.when is"):
        check_type(Odd)
