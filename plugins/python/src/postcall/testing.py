"""For the tests of a plugin: events, a call in this process, and the contract.

from postcall import Event
from postcall.testing import check, run
from plugin import Settings, transform

def test_short_calls_are_dropped() -> None:
(event,) = run(transform, [Event("1", duration=3.0)], Settings(seconds=10))
assert event.decision == "drop"

def test_contract() -> None:
check(transform, Settings())
"""

from __future__ import annotations

import gzip
import json
import random
import threading
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable, TypeVar

from . import settings as settings_
from . import transform_pb2 as wire
from .call import Call
from .canonical import read, write
from .errors import Canceled
from .event import Event
from .fields import EPOCH, Field, Flag, Seconds, Text, Texts, Time
from .transform_pb2 import Turn
from .transformer import Transformer

__all__ = ["as_dict", "check", "decode", "events", "fuzzed", "load", "run"]

S = TypeVar("S")
Transform = Callable[..., None]


def run(
    transform: Transform,
    given: Iterable[Event],
    settings: Any = None,
    *,
    batch: bool = False,
    deadline: float | None = None,
) -> list[Event]:
    """Return what becomes of the events, each followed by its children. They go over the wire and back, as in a plugin.

    What the transform raises is raised here. settings is an instance of the plugin's dataclass, or None. batch is that of
    serve. deadline is in seconds: check() and time_left() see it.
    """
    messages = wire.Events(events=[event.finish() for event in given])
    return _call(_transformer(transform, settings, batch), messages, Call(deadline))


def decode(kind: type[S], values: dict[str, Any]) -> S:
    """Read settings as postcall hands them over. What is wrong is a SettingError."""
    return settings_.decode(kind, json.dumps(values).encode())


def load(path: str | Path) -> list[Event]:
    """Read events from a file with one canonical JSON object a line, as `postcall transform` writes them."""
    return [read(json.loads(line)) for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]


def as_dict(event: Event) -> dict[str, Any]:
    """Return the event as canonical JSON has it, to compare with what is expected."""
    return write(event)


def events() -> list[Event]:
    """Return the events that every transform must take; postcall's own plugins are tested with the same ones."""
    packed = Path(__file__).with_name("golden.binpb.gz").read_bytes()
    return [Event.of(message) for message in wire.Events.FromString(gzip.decompress(packed)).events]


def fuzzed(count: int, seed: int = 0) -> list[Event]:
    """Return odd events: of each field any text, list, number and time it can have. The same seed makes the same ones."""
    dice = random.Random(seed)  # noqa: S311 - not a secret
    return [_fuzz(dice, f"fuzz {seed}/{i}") for i in range(count)]


def check(transform: Transform, settings: Any = None, *, batch: bool = False, seed: int = 0) -> None:
    """Hold the transform to its contract; AssertionError says what it breaks.

    It takes any event, alone and with others, the same batch again gives the same result, and so does an event without
    its neighbours, in several threads at once. postcall plugin test checks the plugin's process likewise.
    """
    transformer = _transformer(transform, settings, batch)
    golden = wire.Events(events=[event.finish() for event in events()])
    want = _groups(transformer, golden)
    assert _call(transformer, wire.Events()) == [], "an empty batch doesn't stay empty"
    assert _groups(transformer, golden) == want, "a repeated batch has another result"
    for message, group in zip(golden.events, want):
        alone = _groups(transformer, wire.Events(events=[message]))
        assert alone == [group], f"call {message.call_id!r} has another result without its neighbours"
    for event in fuzzed(200, seed):
        _groups(transformer, wire.Events(events=[event.finish()]))
    _check_canceled(transformer, golden)
    _check_threads(transformer, golden, want)
    long = [message for message in golden.events if len(message.transcript) > 100]
    _groups(transformer, wire.Events(events=[_renamed(long[0], str(i)) for i in range(25)]))  # about 4 MiB


def _transformer(transform: Transform, settings: Any, batch: bool) -> Transformer:
    made = Transformer("test", "0", transform, None if settings is None else type(settings), batch=batch)
    made.settings = settings
    return made


def _call(transformer: Transformer, batch: wire.Events, call: Call | None = None) -> list[Event]:
    answer = transformer.call(batch.SerializeToString(), call or Call())
    return [Event.of(message) for message in wire.Events.FromString(answer).events]


def _groups(transformer: Transformer, batch: wire.Events) -> list[list[Event]]:
    """Call the transform and sort its answer by the events of the batch, after holding each to the contract."""
    try:
        out = _call(transformer, batch)
    except Exception as err:
        ids = ", ".join(repr(message.call_id) for message in batch.events[:10])
        raise AssertionError(f"it fails for a batch of {ids}: every event must pass, or be rejected") from err
    groups: list[list[Event]] = []
    for event in out:
        if len(groups) < len(batch.events) and event.call_id == batch.events[len(groups)].call_id:
            _check_fixed(batch.events[len(groups)], event)
            groups.append([event])
        else:
            assert groups, f"call {event.call_id!r} belongs to no event"
            groups[-1].append(event)
        _check_content(event)
    return groups


def _check_fixed(message: wire.Event, event: Event) -> None:
    for name, field in vars(Event).items():
        if isinstance(field, Field) and field.fixed and name != "metrics":
            same = field.read(message) == field.read(event.message)
            assert same, f"call {message.call_id!r}: {name} must not change"


def _check_content(event: Event) -> None:
    assert event.decision == "keep" or event.reason, f"call {event.call_id!r} is left out without a reason"
    assert all(turn.words >= 0 for turn in event.transcript), f"call {event.call_id!r}: words can't be negative"
    dict(event.extra)  # it is a JSON object


def _check_canceled(transformer: Transformer, batch: wire.Events) -> None:
    call = Call()
    call.end()
    try:
        _call(transformer, batch, call)
    except Canceled:
        return
    raise AssertionError("a canceled call goes on: the transform must let Canceled pass")


def _check_threads(transformer: Transformer, batch: wire.Events, want: list[list[Event]]) -> None:
    wrong: list[str] = []

    def work() -> None:
        try:
            if any(_groups(transformer, batch) != want for _ in range(3)):
                wrong.append("one of several calls at once has another result")
        except AssertionError as err:
            wrong.append(str(err))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]


def _renamed(message: wire.Event, suffix: str) -> wire.Event:
    made = wire.Event()
    made.CopyFrom(message)
    made.call_id += suffix
    return made


_ODD: Sequence[str] = (
    "", " ", "\x00", "\n\n\n", "\ufeff", "\u202eltr", "e\u0301", "\U0001f469\u200d\U0001f467", "\u65e5\u672c\u8a9e",
    "<script>", "{", '{"a":', "%s %d {}", "\\", "'; --", "NaN", "1e999", "415 555 0123", "jordan@example.com",
    "4242 4242 4242 4242", "a" * 5000, "yes", "0", "\u0130", "\u00df", "\u2028",
)  # fmt: skip


def _fuzz(dice: random.Random, call_id: str) -> Event:
    made = Event(call_id)
    for field in vars(Event).values():
        if isinstance(field, Field) and field.json not in ("callId", "parentCallId", "transforms") and dice.random() < 0.5:
            _fuzz_field(dice, made, field)
    for _ in range(dice.randrange(4)):
        made.extra[_text(dice)] = dice.choice([None, True, -1, 0.5, _text(dice), [[], {}], {"a": [_text(dice)]}])
    made.finish()
    return Event.of(made.message)


def _fuzz_field(dice: random.Random, event: Event, field: Field[Any]) -> None:
    if isinstance(field, Text):
        field.write(event.message, _text(dice))
    elif isinstance(field, Texts) or field.json == "topics":
        field.write(event.message, [_text(dice) for _ in range(dice.randrange(4))])
    elif isinstance(field, Flag):
        field.write(event.message, dice.random() < 0.5)
    elif isinstance(field, Seconds):
        field.write(event.message, dice.choice([0.0, -1.0, 1e-9, 240.0, 1e18]))
    elif isinstance(field, Time):
        field.write(event.message, EPOCH + timedelta(microseconds=dice.randrange(-(10**15), 10**17)))
    elif field.json == "transcript":
        roles = ("agent", "user", "", "system", _text(dice))
        turns = [Turn(role=dice.choice(roles), content=_text(dice), words=dice.randrange(9)) for _ in range(dice.randrange(9))]
        field.write(event.message, turns)


def _text(dice: random.Random) -> str:
    return "".join(dice.choice((dice.choice(_ODD), chr(dice.randrange(32, 0xD7FF)))) for _ in range(dice.randrange(4)))
