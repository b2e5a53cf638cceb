import json
from pathlib import Path
from typing import Callable, Optional

import pytest

from postcall import Event, Permanent, Turn
from postcall.testing import as_dict, check, events, fuzzed, load

GOLDEN = Path(__file__).parents[3] / "testdata" / "golden"


def nothing(_event: Event) -> None:
    pass


def various(event: Event) -> None:
    if not event.transcript:
        event.drop("empty")
    elif not event.summary:
        event.reject("no summary")
    else:
        event.child().extra["part"] = 1


def test_a_good_transform_passes() -> None:
    check(nothing)
    check(various)
    check(lambda _events: None, batch=True)


calls = 0


def counts(event: Event) -> None:
    global calls
    calls += 1
    event.topic = str(calls)


def breaks_id(event: Event) -> None:
    event.message.call_id += "x"


def breaks_version(event: Event) -> None:
    event.message.version += 1


def breaks_extra(event: Event) -> None:
    event.message.extra = b'{"a":'


def breaks_words(event: Event) -> None:
    event.transcript.append(Turn(words=-1))


def fails(event: Event) -> None:
    if event.summary.startswith("\u00dc"):
        raise Permanent("odd")


def looks(events: "list[Event]") -> None:
    for event in events:
        event.topic = events[0].call_id


def swallows(event: Event) -> None:
    event.extra["seen"] = True


@pytest.mark.parametrize(
    ("transform", "says", "batch"),
    [
        (counts, "a repeated batch has another result", False),
        (looks, "another result without its neighbours", True),
        (breaks_id, "belongs to no event", False),
        (breaks_version, "version must not change", False),
        (breaks_extra, "extra is not a JSON object", False),
        (breaks_words, "words can't be negative", False),
        (fails, "every event must pass, or be rejected", False),
    ],
)
def test_a_broken_transform_is_caught(transform: Callable[..., None], says: str, batch: bool) -> None:
    with pytest.raises((AssertionError, ValueError), match=says):
        check(transform, batch=batch)


def test_a_transform_that_hides_that_it_was_canceled_is_caught() -> None:
    from postcall.testing import _check_canceled
    from postcall.transform_pb2 import Events
    from postcall.transformer import Transformer

    class Deaf(Transformer):
        def call(self, data: bytes, _call: object) -> bytes:
            return data

    with pytest.raises(AssertionError, match="a canceled call goes on"):
        _check_canceled(Deaf("t", "1", nothing, None), Events())


def test_the_events_are_many_and_the_same_each_time() -> None:
    assert len(events()) > 6
    assert events() == events()
    assert fuzzed(50, 3) == fuzzed(50, 3)
    assert fuzzed(50, 3) != fuzzed(50, 4)
    assert len({event.call_id for event in fuzzed(50)}) == 50


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.name)
def test_canonical_json_is_read_and_written(path: Path, tmp_path: Path) -> None:
    want = json.loads(path.read_text(encoding="utf-8"))
    (tmp_path / "events.ndjson").write_text(json.dumps(want) + "\n\n", encoding="utf-8")
    (event,) = load(tmp_path / "events.ndjson")
    got = as_dict(event)
    assert got == want
    assert list(got) == [name for name in want if name in got]


def test_canonical_json_of_every_event() -> None:
    for event in [*events(), *fuzzed(100)]:
        assert as_dict(event)["callId"] == event.call_id


@pytest.mark.parametrize(
    ("time", "micros"),
    [("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00.1234567Z", 123456), ("1970-01-01T02:00:01.5+02:00", 1500000)],
)
def test_times_of_canonical_json(time: str, micros: Optional[int], tmp_path: Path) -> None:
    (tmp_path / "e").write_text(json.dumps({"callId": "1", "callStarted": time}), encoding="utf-8")
    assert load(tmp_path / "e")[0].message.call_started == micros


def test_a_name_that_an_event_does_not_have(tmp_path: Path) -> None:
    (tmp_path / "e").write_text('{"callId":"1","sumary":"x"}', encoding="utf-8")
    with pytest.raises(ValueError, match="an event has no sumary"):
        load(tmp_path / "e")
