import json
import random
from typing import Any

import pytest

from postcall.extra import Extra


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        ("", '{"language":"en"}'),
        ("{}", '{"language":"en"}'),
        (
            ' {\n"a" : 1.50 , "n":1e400,"big":' + "9" * 5000 + "}",
            '{"a":1.50,"n":1e400,"big":' + "9" * 5000 + ',"language":"en"}',
        ),
        ('{"a":{"b":[1,{"c":"}"}]},"a":2}', '{"a":2,"language":"en"}'),
        ('{"language":"de","a":null}', '{"language":"en","a":null}'),
        ('{"caf\\u00e9":"\\ud800"}', '{"café":"\\ud800","language":"en"}'),
        ('{"\\ud800":1}', '{"\\ud800":1,"language":"en"}'),
    ],
)
def test_what_is_not_assigned_stays_as_it_was(raw: str, want: str) -> None:
    extra = Extra(raw.encode())
    extra["language"] = "en"
    assert extra.to_bytes().decode() == want


def test_what_is_not_touched_stays_to_the_byte() -> None:
    raw = b' { "a" : 1.0 } '
    extra = Extra(raw)
    assert extra["a"] == 1.0
    assert not extra.changed
    assert extra.to_bytes() == raw


def test_it_is_a_dict_of_values() -> None:
    extra = Extra(b'{"a":{"b":1},"c":[true,null]}')
    assert dict(extra) == {"a": {"b": 1}, "c": [True, None]}
    assert list(extra) == ["a", "c"]
    assert "a" in extra
    assert extra.get("x", 7) == 7
    assert extra.pop("a") == {"b": 1}
    del extra["c"]
    assert extra.to_bytes() == b""


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, b"bytes"])
def test_what_is_no_json_is_refused(value: Any) -> None:
    extra = Extra(b'{"a":1}')
    with pytest.raises((TypeError, ValueError)):
        extra["x"] = value
    assert extra.to_bytes() == b'{"a":1}'


@pytest.mark.parametrize(
    "raw", ["[]", "null", '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{"a":1}x', "{a:1}", "{1:1}", "\ufeff{}", "["]
)
def test_what_is_no_object_is_said_without_quoting_it(raw: str) -> None:
    with pytest.raises(ValueError, match=r"^extra is not a JSON object$") as caught:
        len(Extra(raw.encode()))
    assert caught.value.__cause__ is None


def test_deep_and_broken_input_is_an_error_too() -> None:
    for raw in (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"\xff":1}'):
        with pytest.raises(ValueError, match="extra is not a JSON object"):
            len(Extra(raw))


@pytest.mark.parametrize("seed", range(300))
def test_any_object_survives(seed: int) -> None:
    dice = random.Random(seed)

    def value(depth: int) -> Any:
        kind = dice.randrange(7 if depth < 4 else 5)
        if kind == 5:
            return [value(depth + 1) for _ in range(dice.randrange(4))]
        if kind == 6:
            return {text(): value(depth + 1) for _ in range(dice.randrange(4))}
        return [None, True, dice.randrange(-(10**20), 10**20), dice.uniform(-1e9, 1e9), text()][kind]

    def text() -> str:
        return "".join(dice.choice(('"', "\\", "}", "\u2028", "\ud800", "\x00", chr(dice.randrange(0xD7FF)))) for _ in range(4))

    members = {text(): value(0) for _ in range(dice.randrange(6))}
    raw = json.dumps(members, indent=dice.choice((None, 2)), ensure_ascii=True)
    extra = Extra(raw.encode())
    assert dict(extra) == members
    extra["added"] = members
    assert json.loads(extra.to_bytes()) == {**members, "added": members}
