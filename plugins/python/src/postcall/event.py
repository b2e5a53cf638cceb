"""One call as postcall knows it."""

from __future__ import annotations

from typing import Any

from . import transform_pb2 as wire
from .extra import Extra
from .fields import AppliedTo, Bool, Counts, Field, Flag, Number, Real, Seconds, Text, Texts, Time, Topics, Turns

__all__ = ["Event"]

_DECISIONS = {wire.DECISION_KEEP: "keep", wire.DECISION_DROP: "drop", wire.DECISION_REJECT: "reject"}


class Event:
    """One call: what the sender said about it, and what was derived from that.

    A transform changes it in place. Text holds what a caller said: treat it as personal data. The attributes that
    identify the event can't be changed.
    """

    __slots__ = ("_children", "_extra", "message")

    tenant = Text("the tenant of the source; part of every key", fixed=True)
    source = Text("the sender's kind, for example phonely", fixed=True)
    call_id = Text("unique within the tenant", fixed=True)
    parent_call_id = Text("set on the children of a split only", fixed=True)
    version = Number("microseconds; the highest version of a call wins in both stores", fixed=True)
    received_at = Time("when the webhook took the delivery", fixed=True)

    agent_name = Text()
    caller_name = Text()
    call_direction = Text()
    call_started = Time()
    call_ended = Time()
    duration = Seconds("seconds")
    business_phone_number = Text()
    customer_phone_number = Text()
    mentioned_email = Text()
    mentioned_date = Text()
    mentioned_time = Text()
    transcript_text = Text("the sender's own rendering of the call, only where it says something else than transcript")
    transcript = Turns("the turns: role (agent, user, or another in lower case), content, words as spoken")
    summary = Text()
    long_summary = Text()
    purpose = Text()
    topic = Text("the sender's free-text topic")
    sentiment = Text()
    key_points = Texts()
    unanswered_questions = Texts()
    action_items = Texts()
    follow_up = Text()
    follow_up_reason = Text()
    ai_success = Text(json="ai_success")
    recording_url = Text()
    dashboard_url = Text()
    ended_reason = Text()

    sentiment_kind = Text("positive, neutral, negative, mixed, or '' where sentiment is none of them")
    follow_up_bool = Flag("follow_up read as yes or no")
    ai_success_bool = Flag("ai_success read as yes or no", json="ai_successBool")
    topics = Topics("the topics of the operator's taxonomy, the main one first")
    topic_confidence = Real("how sure the first topic is, 0 to 1; 0 where no rule matched")
    topic_rule = Text("the rule that made the first topic, '' where none did")
    ended_reason_kind = Text("ended_reason in the operator's vocabulary, '' where it has no word for it")

    is_test = Bool("the sender, or a rule about it, calls the call a test: it is left out of every metric")

    customer_key = Text("keyed hash of customer_phone_number", fixed=True)
    email_key = Text("keyed hash of mentioned_email", fixed=True)
    metrics = Counts("counts of the call as it was received", fixed=True)
    transforms = AppliedTo("the transforms the event went through, name and version", fixed=True)

    message: wire.Event

    def __init__(self, call_id: str, **fields: Any) -> None:
        """Make an event, for tests: Event("1", summary="hi", transcript=[Turn(role="user", content="hi")])."""
        self.message = wire.Event(call_id=call_id)
        self._extra: Extra | None = None
        self._children: list[Event] | None = []
        for name, value in fields.items():
            field = getattr(type(self), name, None)
            if isinstance(field, Field):
                field.write(self.message, value)
            elif name == "extra":
                self.extra.update(value)
            else:
                raise TypeError(f"an event has no {name}")

    @classmethod
    def of(cls, message: wire.Event) -> Event:
        """Make an event of a message, which it changes. What this version doesn't know of the message stays in it."""
        event = cls.__new__(cls)
        event.message = message
        event._extra = None
        event._children = []
        return event

    @property
    def extra(self) -> Extra:
        """Every field that the sender or a transform added, as a dict; a plugin adds its own here."""
        if self._extra is None:
            self._extra = Extra(self.message.extra)
        return self._extra

    @property
    def decision(self) -> str:
        """What becomes of the event: keep, drop or reject."""
        return _DECISIONS.get(self.message.outcome.decision, "unknown")

    @property
    def reason(self) -> str:
        """Why it is dropped or rejected."""
        return self.message.outcome.reason

    def drop(self, reason: str) -> None:
        """Leave the event out, counted by reason: a short phrase for operators without personal data."""
        self._decide(wire.DECISION_DROP, reason)

    def reject(self, reason: str) -> None:
        """Hold the event back as a dead letter with its reason, a short phrase for operators without personal data."""
        self._decide(wire.DECISION_REJECT, reason)

    def keep(self) -> None:
        """Take back a drop or a reject."""
        self.message.ClearField("outcome")

    def child(self) -> Event:
        """Split off a child: a copy of the event as it is now, named CALL#1, CALL#2 and so on, for you to change."""
        if self._children is None:
            raise ValueError("a child is split by a transform of its own")
        made = Event.of(wire.Event())
        made._children = None
        made.message.CopyFrom(self.finish())
        made.message.ClearField("outcome")
        made.message.parent_call_id = self.call_id
        made.message.call_id = f"{self.call_id}#{len(self._children) + 1}"
        self._children.append(made)
        return made

    @property
    def children(self) -> tuple[Event, ...]:
        """The children split off so far."""
        return tuple(self._children or ())

    def finish(self) -> wire.Event:
        """Write what is kept beside the message into it, and return it."""
        if self._extra is not None and self._extra.changed:
            self.message.extra = self._extra.to_bytes()
        return self.message

    def _decide(self, decision: wire.Decision, reason: str) -> None:
        if not reason:
            raise ValueError("a dropped or rejected event has a reason")
        self.message.outcome.decision = decision
        self.message.outcome.reason = reason

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and self.finish() == other.finish()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"<Event {self.call_id!r}>"  # the rest is what a caller said
