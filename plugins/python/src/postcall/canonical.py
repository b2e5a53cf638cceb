"""postcall's canonical JSON of an event, as `postcall transform` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .event import Event
from .fields import Counts, Field, Time, Topics
from .transform_pb2 import Applied, Metrics, Turn

__all__ = ["read", "render", "write"]

_FIELDS: dict[str, Field[Any]] = {field.json: field for field in vars(Event).values() if isinstance(field, Field)}
_COUNTS = {
    "".join(p.capitalize() if i else p for i, p in enumerate(n.split("_"))): n for n in Metrics.DESCRIPTOR.fields_by_name
}
# What is written even where it is empty, zero or false; a time and a list are not, nor is a value that is not known.
_ALWAYS = ("callId", "duration", "followUpBool", "ai_successBool", "transcript", "metrics")


def read(members: Mapping[str, Any]) -> Event:
    """Make an event of the members of its JSON object. A name that an event doesn't have is a ValueError."""
    event = Event(members["callId"])
    for name, value in members.items():
        if name == "extra":
            event.extra.update(value)
        elif name in _FIELDS:
            _FIELDS[name].write(event.message, _from_json(_FIELDS[name], value))
        else:
            raise ValueError(f"an event has no {name}")
    if event.transcript_text == render(event):
        event.transcript_text = ""  # the JSON always has it
    return event


def write(event: Event) -> dict[str, Any]:
    """Return the members of the event's JSON object. What is not known is left out, but not callId, transcript and metrics."""
    members: dict[str, Any] = {}
    for name, field in _FIELDS.items():
        value = _to_json(field, field.read(event.message))
        if name == "transcriptText":
            value = value or render(event)
        if value or (value is not None and name in _ALWAYS):
            members[name] = value
        if name == "endedReason" and len(event.extra):
            members["extra"] = dict(event.extra)
    return members


def render(event: Event) -> str:
    """Write the turns as a sender's transcriptText does: Agent: ... and User: ... on lines of their own."""
    names = {"agent": "Agent", "user": "User"}
    return "\n".join(f"{names.get(turn.role, turn.role)}: {turn.content}" for turn in event.transcript)


def _from_json(field: Field[Any], value: Any) -> Any:
    if isinstance(field, Time):
        return datetime.fromisoformat(_fraction(value))
    if isinstance(field, Counts):
        return Metrics(**{_COUNTS[name]: count for name, count in value.items()})
    if field.json == "transcript":
        return [Turn(**turn) for turn in value]
    if field.json == "transforms":
        return [Applied(**applied) for applied in value]
    return value


def _fraction(time: str) -> str:
    """Give a time of RFC 3339 the six digits and the numeric zone that Python before 3.11 wants."""
    base, zone = (time[:-1], "+00:00") if time.endswith("Z") else (time[:-6], time[-6:])
    seconds, _, digits = base.partition(".")
    return f"{seconds}.{digits[:6]:0<6}{zone}"


def _to_json(field: Field[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(field, Time):
        text = value.isoformat().replace("+00:00", "")
        return (text.rstrip("0").rstrip(".") if "." in text else text) + "Z"
    if isinstance(field, Counts):
        return {
            name: getattr(value, count)
            for name, count in _COUNTS.items()
            if not value.DESCRIPTOR.fields_by_name[count].has_presence or value.HasField(count)
        }
    if field.json == "transcript":
        return [{"role": turn.role, "content": turn.content} for turn in value]
    if field.json == "transforms":
        return [{"name": applied.name, "version": applied.version} for applied in value]
    if isinstance(field, Topics) or not isinstance(value, (str, int, float, bool)):
        return list(value)
    return value
