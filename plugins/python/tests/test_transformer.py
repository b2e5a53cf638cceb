import pytest

from postcall import Canceled, Event, Permanent, check, time_left
from postcall import transform_pb2 as wire
from postcall.call import Call
from postcall.settings import NoSettings
from postcall.testing import run
from postcall.transformer import Transformer


def same(_event: Event) -> None:
    pass


# Field 1000 of an event, which no version of the protocol has.
NEWER = b"\xc2>\x05newer"


def test_fields_of_a_newer_version_stay() -> None:
    def change(event: Event) -> None:
        event.summary = "changed"
        event.extra["a"] = 1
        if event.call_id == "2":
            event.child()

    first, second = (wire.Event(call_id=i).SerializeToString() + NEWER for i in ("1", "2"))
    data = b"".join(b"\n" + bytes([len(e)]) + e for e in (first, second)) + NEWER
    out = wire.Events.FromString(Transformer("t", "1", change, None).call(data, Call()))
    assert [event.SerializeToString().count(NEWER) for event in out.events] == [1, 1, 1]
    assert [event.call_id for event in out.events] == ["1", "2", "2#1"]
    assert {event.summary for event in out.events} == {"changed"}


def test_a_batch_is_handed_over_whole_and_its_order_stays() -> None:
    seen = []

    def turn(events: "list[Event]") -> None:
        seen.append(len(events))
        events.reverse()
        events[0].drop("last")

    out = run(turn, [Event("1"), Event("2"), Event("3")], batch=True)
    assert [(event.call_id, event.decision) for event in out] == [("1", "keep"), ("2", "keep"), ("3", "drop")]
    assert seen == [3]


def test_what_it_returns_is_a_mistake() -> None:
    def returns(event: Event) -> None:
        return event  # type: ignore[return-value]

    with pytest.raises(TypeError, match="returns nothing"):
        run(returns, [Event("1")])


def test_a_call_that_has_ended_stops_between_events() -> None:
    call, seen = Call(), []

    def transform(event: Event) -> None:
        seen.append(event.call_id)
        call.end()

    data = wire.Events(events=[wire.Event(call_id=i) for i in "abc"]).SerializeToString()
    with pytest.raises(Canceled):
        Transformer("t", "1", transform, None).call(data, call)
    assert seen == ["a"]


def test_check_and_time_left_see_the_deadline() -> None:
    seen = []

    def transform(_event: Event) -> None:
        seen.append(time_left())
        while True:
            check()

    with pytest.raises(Canceled):
        run(transform, [Event("1")], deadline=0.05)
    assert seen[0] is not None
    assert 0 < seen[0] <= 0.05
    check()  # outside of a call it does nothing
    assert time_left() is None


def test_what_is_no_batch_is_permanent() -> None:
    with pytest.raises(Permanent, match="no message of this protocol"):
        Transformer("t", "1", same, None).call(b"\x0a\xff", Call())


def test_mistakes_of_an_author_show_at_the_start() -> None:
    for arguments, says in (
        (("", "1", same, None), "a name and a version"),
        (("t", "", same, None), "a name and a version"),
        (("t", "1", None, None), "must be a function"),
        (("t", "1", same, int), "must be a dataclass"),
    ):
        with pytest.raises((TypeError, ValueError), match=says):
            Transformer(*arguments)


def test_without_settings_none_are_taken() -> None:
    transformer = Transformer("t", "1", same, None)
    transformer.configure(b"{}")
    assert isinstance(transformer.settings, NoSettings)
    with pytest.raises(Exception, match='unknown setting "a"'):
        transformer.configure(b'{"a":1}')
