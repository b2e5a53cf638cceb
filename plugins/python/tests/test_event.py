from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from postcall import Event, Turn
from postcall import transform_pb2 as wire
from postcall.fields import Field


def test_every_field_of_the_message_is_an_attribute() -> None:
    names = {field.name for field in wire.Event.DESCRIPTOR.fields}
    own = {name for name, field in vars(Event).items() if isinstance(field, Field)}
    assert names - own == {"extra", "outcome", "topics_empty"}
    assert own - names == set()


def test_what_identifies_an_event_does_not_change() -> None:
    event = Event("1", tenant="t", source="s", version=5)
    for name in ("call_id", "parent_call_id", "tenant", "source", "version", "received_at", "customer_key", "email_key"):
        with pytest.raises(AttributeError, match=f"{name} of an event must not change"):
            setattr(event, name, getattr(event, name))


def test_what_is_not_known_is_empty_or_none() -> None:
    event = Event("1")
    assert (event.summary, event.duration, event.follow_up_bool, event.call_started, event.topics) == (
        "",
        None,
        None,
        None,
        None,
    )
    assert (list(event.transcript), list(event.key_points), dict(event.extra)) == ([], [], {})
    event.duration, event.follow_up_bool, event.topics = 0.0, False, ()
    assert (event.duration, event.follow_up_bool, event.topics) == (0.0, False, ())
    event.duration = event.follow_up_bool = event.topics = None
    assert (event.duration, event.follow_up_bool, event.topics) == (None, None, None)


def test_lists_change_in_place_and_as_a_whole() -> None:
    event = Event("1", key_points=["a", "b"], transcript=[Turn(role="user", content="hi", words=1)])
    event.key_points.append("c")
    event.key_points[0] = "A"
    event.transcript[0].content = "[PERSON]"
    assert list(event.key_points) == ["A", "b", "c"]
    event.transcript = [turn for turn in event.transcript if turn.role == "user"]
    assert [(turn.content, turn.words) for turn in event.transcript] == [("[PERSON]", 1)]
    with pytest.raises(TypeError, match="key_points is a list of texts"):
        event.key_points = "abc"  # type: ignore[assignment]


def test_times_have_a_zone_and_microseconds() -> None:
    event = Event("1")
    east = datetime(2026, 10, 25, 2, 59, 30, 123456, tzinfo=timezone(timedelta(hours=2)))
    event.call_started = east
    assert event.call_started == east
    assert event.message.call_started == 1792889970123456
    for year in (1, 9999):
        event.call_started = datetime(year, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc)
        assert event.call_started is not None
        assert event.call_started.year == year
    with pytest.raises(ValueError, match="call_started must have a time zone"):
        event.call_started = datetime(2026, 1, 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(value: float) -> None:
    with pytest.raises(ValueError, match="duration must be a finite number"):
        Event("1").duration = value


def test_decisions() -> None:
    event = Event("1")
    assert event.decision == "keep"
    event.drop("unwanted")
    assert (event.decision, event.reason) == ("drop", "unwanted")
    event.reject("odd")
    assert (event.decision, event.reason) == ("reject", "odd")
    event.keep()
    assert (event.decision, event.reason) == ("keep", "")
    with pytest.raises(ValueError, match="has a reason"):
        event.drop("")


def test_children_are_copies_with_names_in_order() -> None:
    event = Event("1", tenant="t", summary="both", extra={"a": 1})
    event.drop("split")
    first, second = event.child(), event.child()
    second.summary = "second"
    second.extra["b"] = 2
    assert [(c.call_id, c.parent_call_id, c.tenant, c.decision) for c in event.children] == [
        ("1#1", "1", "t", "keep"),
        ("1#2", "1", "t", "keep"),
    ]
    assert (first.summary, second.summary, event.summary) == ("both", "second", "both")
    assert (dict(first.extra), dict(second.extra)) == ({"a": 1}, {"a": 1, "b": 2})
    with pytest.raises(ValueError, match="by a transform of its own"):
        first.child()


def test_repr_tells_nothing_of_the_caller() -> None:
    event = Event("1", summary="jordan", extra={"name": "jordan"})
    assert "jordan" not in repr(event) + repr(event.extra)


def test_a_field_that_is_not_there() -> None:
    fields: dict[str, Any] = {"sumary": "x"}
    with pytest.raises(TypeError, match="an event has no sumary"):
        Event("1", **fields)


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(UnicodeEncodeError):
        Event("1").summary = "\ud800"
