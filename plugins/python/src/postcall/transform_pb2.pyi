from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Decision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_KEEP: _ClassVar[Decision]
    DECISION_DROP: _ClassVar[Decision]
    DECISION_REJECT: _ClassVar[Decision]
DECISION_KEEP: Decision
DECISION_DROP: Decision
DECISION_REJECT: Decision

class ConfigureRequest(_message.Message):
    __slots__ = ("protocol", "name", "settings")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    name: str
    settings: bytes
    def __init__(self, protocol: _Optional[int] = ..., name: _Optional[str] = ..., settings: _Optional[bytes] = ...) -> None: ...

class ConfigureResponse(_message.Message):
    __slots__ = ("name", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class Events(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("tenant", "source", "call_id", "parent_call_id", "version", "received_at", "agent_name", "caller_name", "call_direction", "call_started", "call_ended", "duration", "business_phone_number", "customer_phone_number", "mentioned_email", "mentioned_date", "mentioned_time", "transcript_text", "transcript", "summary", "long_summary", "purpose", "topic", "sentiment", "key_points", "unanswered_questions", "action_items", "follow_up", "follow_up_reason", "ai_success", "recording_url", "dashboard_url", "ended_reason", "extra", "sentiment_kind", "follow_up_bool", "ai_success_bool", "topics", "topics_empty", "topic_confidence", "topic_rule", "ended_reason_kind", "customer_key", "email_key", "is_test", "metrics", "transforms", "outcome")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_CALL_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    AGENT_NAME_FIELD_NUMBER: _ClassVar[int]
    CALLER_NAME_FIELD_NUMBER: _ClassVar[int]
    CALL_DIRECTION_FIELD_NUMBER: _ClassVar[int]
    CALL_STARTED_FIELD_NUMBER: _ClassVar[int]
    CALL_ENDED_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    BUSINESS_PHONE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_PHONE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    MENTIONED_EMAIL_FIELD_NUMBER: _ClassVar[int]
    MENTIONED_DATE_FIELD_NUMBER: _ClassVar[int]
    MENTIONED_TIME_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_TEXT_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    LONG_SUMMARY_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    SENTIMENT_FIELD_NUMBER: _ClassVar[int]
    KEY_POINTS_FIELD_NUMBER: _ClassVar[int]
    UNANSWERED_QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    ACTION_ITEMS_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_UP_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_UP_REASON_FIELD_NUMBER: _ClassVar[int]
    AI_SUCCESS_FIELD_NUMBER: _ClassVar[int]
    RECORDING_URL_FIELD_NUMBER: _ClassVar[int]
    DASHBOARD_URL_FIELD_NUMBER: _ClassVar[int]
    ENDED_REASON_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FIELD_NUMBER: _ClassVar[int]
    SENTIMENT_KIND_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_UP_BOOL_FIELD_NUMBER: _ClassVar[int]
    AI_SUCCESS_BOOL_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    TOPICS_EMPTY_FIELD_NUMBER: _ClassVar[int]
    TOPIC_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    TOPIC_RULE_FIELD_NUMBER: _ClassVar[int]
    ENDED_REASON_KIND_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_KEY_FIELD_NUMBER: _ClassVar[int]
    EMAIL_KEY_FIELD_NUMBER: _ClassVar[int]
    IS_TEST_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    TRANSFORMS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    source: str
    call_id: str
    parent_call_id: str
    version: int
    received_at: int
    agent_name: str
    caller_name: str
    call_direction: str
    call_started: int
    call_ended: int
    duration: float
    business_phone_number: str
    customer_phone_number: str
    mentioned_email: str
    mentioned_date: str
    mentioned_time: str
    transcript_text: str
    transcript: _containers.RepeatedCompositeFieldContainer[Turn]
    summary: str
    long_summary: str
    purpose: str
    topic: str
    sentiment: str
    key_points: _containers.RepeatedScalarFieldContainer[str]
    unanswered_questions: _containers.RepeatedScalarFieldContainer[str]
    action_items: _containers.RepeatedScalarFieldContainer[str]
    follow_up: str
    follow_up_reason: str
    ai_success: str
    recording_url: str
    dashboard_url: str
    ended_reason: str
    extra: bytes
    sentiment_kind: str
    follow_up_bool: bool
    ai_success_bool: bool
    topics: _containers.RepeatedScalarFieldContainer[str]
    topics_empty: bool
    topic_confidence: float
    topic_rule: str
    ended_reason_kind: str
    customer_key: str
    email_key: str
    is_test: bool
    metrics: Metrics
    transforms: _containers.RepeatedCompositeFieldContainer[Applied]
    outcome: Outcome
    def __init__(self, tenant: _Optional[str] = ..., source: _Optional[str] = ..., call_id: _Optional[str] = ..., parent_call_id: _Optional[str] = ..., version: _Optional[int] = ..., received_at: _Optional[int] = ..., agent_name: _Optional[str] = ..., caller_name: _Optional[str] = ..., call_direction: _Optional[str] = ..., call_started: _Optional[int] = ..., call_ended: _Optional[int] = ..., duration: _Optional[float] = ..., business_phone_number: _Optional[str] = ..., customer_phone_number: _Optional[str] = ..., mentioned_email: _Optional[str] = ..., mentioned_date: _Optional[str] = ..., mentioned_time: _Optional[str] = ..., transcript_text: _Optional[str] = ..., transcript: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ..., summary: _Optional[str] = ..., long_summary: _Optional[str] = ..., purpose: _Optional[str] = ..., topic: _Optional[str] = ..., sentiment: _Optional[str] = ..., key_points: _Optional[_Iterable[str]] = ..., unanswered_questions: _Optional[_Iterable[str]] = ..., action_items: _Optional[_Iterable[str]] = ..., follow_up: _Optional[str] = ..., follow_up_reason: _Optional[str] = ..., ai_success: _Optional[str] = ..., recording_url: _Optional[str] = ..., dashboard_url: _Optional[str] = ..., ended_reason: _Optional[str] = ..., extra: _Optional[bytes] = ..., sentiment_kind: _Optional[str] = ..., follow_up_bool: bool = ..., ai_success_bool: bool = ..., topics: _Optional[_Iterable[str]] = ..., topics_empty: bool = ..., topic_confidence: _Optional[float] = ..., topic_rule: _Optional[str] = ..., ended_reason_kind: _Optional[str] = ..., customer_key: _Optional[str] = ..., email_key: _Optional[str] = ..., is_test: bool = ..., metrics: _Optional[_Union[Metrics, _Mapping]] = ..., transforms: _Optional[_Iterable[_Union[Applied, _Mapping]]] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ...) -> None: ...

class Turn(_message.Message):
    __slots__ = ("role", "content", "words")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    role: str
    content: str
    words: int
    def __init__(self, role: _Optional[str] = ..., content: _Optional[str] = ..., words: _Optional[int] = ...) -> None: ...

class Metrics(_message.Message):
    __slots__ = ("turns", "agent_turns", "user_turns", "agent_words", "user_words", "talk_ratio", "words_per_minute", "unanswered_questions", "action_items", "hour", "weekday")
    TURNS_FIELD_NUMBER: _ClassVar[int]
    AGENT_TURNS_FIELD_NUMBER: _ClassVar[int]
    USER_TURNS_FIELD_NUMBER: _ClassVar[int]
    AGENT_WORDS_FIELD_NUMBER: _ClassVar[int]
    USER_WORDS_FIELD_NUMBER: _ClassVar[int]
    TALK_RATIO_FIELD_NUMBER: _ClassVar[int]
    WORDS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    UNANSWERED_QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    ACTION_ITEMS_FIELD_NUMBER: _ClassVar[int]
    HOUR_FIELD_NUMBER: _ClassVar[int]
    WEEKDAY_FIELD_NUMBER: _ClassVar[int]
    turns: int
    agent_turns: int
    user_turns: int
    agent_words: int
    user_words: int
    talk_ratio: float
    words_per_minute: float
    unanswered_questions: int
    action_items: int
    hour: int
    weekday: int
    def __init__(self, turns: _Optional[int] = ..., agent_turns: _Optional[int] = ..., user_turns: _Optional[int] = ..., agent_words: _Optional[int] = ..., user_words: _Optional[int] = ..., talk_ratio: _Optional[float] = ..., words_per_minute: _Optional[float] = ..., unanswered_questions: _Optional[int] = ..., action_items: _Optional[int] = ..., hour: _Optional[int] = ..., weekday: _Optional[int] = ...) -> None: ...

class Applied(_message.Message):
    __slots__ = ("name", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("decision", "reason")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    reason: str
    def __init__(self, decision: _Optional[_Union[Decision, str]] = ..., reason: _Optional[str] = ...) -> None: ...
