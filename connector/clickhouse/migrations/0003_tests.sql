-- Tests: a sender's sample calls are stored, and left out of every metric.
ALTER TABLE {{.Table "calls_raw"}}{{.OnCluster}} ADD COLUMN IF NOT EXISTS is_test Bool DEFAULT false COMMENT 'Whether the sender, or a rule about it, calls this a test; metrics leave tests out';

-- What analysts read. The definer's rights apply, so that a reader needs no grant on calls_raw.
CREATE OR REPLACE VIEW {{.Table "calls"}}{{.OnCluster}}
(
    tenant                LowCardinality(String)         COMMENT 'Tenant of the source that delivered the call; part of the key',
    call_id               String                         COMMENT 'Id of the call, unique within the tenant; part of the key',
    received_at           DateTime64(6, 'UTC')           COMMENT 'When the webhook took the delivery',
    loaded_at             DateTime64(3, 'UTC')           COMMENT 'When the row was written here',
    source                LowCardinality(String)         COMMENT 'Kind of the sender, for example phonely',
    parent_call_id        String                         COMMENT 'Call this one was split from by a transform; empty for most',
    agent_name            LowCardinality(String)         COMMENT 'Name of the AI agent that spoke',
    caller_name           String                         COMMENT 'Name of the caller, redacted',
    call_direction        LowCardinality(String)         COMMENT 'Direction as the sender names it, for example inbound or outbound',
    call_started          DateTime64(3, 'UTC')           COMMENT 'Start of the call; where the sender gave none its end less its duration, else the time of receipt',
    call_ended            Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the call',
    duration              Nullable(Float64)              COMMENT 'Length of the call in seconds',
    business_phone_number LowCardinality(String)         COMMENT 'Number of the business, E.164',
    customer_phone_number String                         COMMENT 'Number of the caller, redacted; count callers by customer_key',
    mentioned_email       String                         COMMENT 'E-mail address that was mentioned, redacted',
    mentioned_date        String                         COMMENT 'Date that was mentioned, as the sender wrote it',
    mentioned_time        String                         COMMENT 'Time that was mentioned, as the sender wrote it',
    summary               String                         COMMENT 'Short summary, redacted',
    long_summary          String                         COMMENT 'Long summary, redacted',
    purpose               String                         COMMENT 'Why the caller called, redacted',
    topic                 String                         COMMENT 'Topic in the words of the sender, redacted; see topics for the mapped ones',
    topics                Array(LowCardinality(String))  COMMENT 'Topics of the taxonomy (map-topics)',
    sentiment             LowCardinality(String)         COMMENT 'positive, neutral, negative or mixed; empty where the sender said none of them',
    sentiment_raw         LowCardinality(String)         COMMENT 'Sentiment as the sender wrote it',
    key_points            Array(String)                  COMMENT 'Key points, redacted',
    unanswered_questions  Array(String)                  COMMENT 'Questions the agent could not answer, redacted',
    action_items          Array(String)                  COMMENT 'What is to be done after the call, redacted',
    follow_up             Nullable(Bool)                 COMMENT 'Whether somebody has to follow up; NULL where the sender said neither yes nor no',
    follow_up_raw         LowCardinality(String)         COMMENT 'followUp as the sender wrote it',
    follow_up_reason      String                         COMMENT 'Why somebody has to follow up, redacted',
    ai_success            Nullable(Bool)                 COMMENT 'Whether the agent reached its goal; NULL where the sender said neither yes nor no',
    ai_success_raw        LowCardinality(String)         COMMENT 'ai_success as the sender wrote it',
    ended_reason          LowCardinality(String)         COMMENT 'How the call ended, for example caller_hangup, agent_hangup, transfer or voicemail',
    recording_url         String                         COMMENT 'Address of the recording, without its token',
    dashboard_url         String                         COMMENT 'Address of the call in the dashboard of the sender, without its token',
    extra                 String                         COMMENT 'JSON object of the fields the sender added; empty where there are none',
    turns                 UInt32                         COMMENT 'Turns of the transcript',
    agent_turns           UInt32                         COMMENT 'Turns of the agent',
    user_turns            UInt32                         COMMENT 'Turns of the caller',
    agent_words           UInt32                         COMMENT 'Words of the agent',
    user_words            UInt32                         COMMENT 'Words of the caller',
    talk_ratio            Nullable(Float64)              COMMENT 'Share of the agent in all words, 0 to 1; NULL where nobody spoke',
    words_per_minute      Nullable(Float64)              COMMENT 'Words of both sides per minute of duration; NULL where the duration is not known',
    unanswered_count      UInt32                         COMMENT 'Number of unanswered_questions',
    action_item_count     UInt32                         COMMENT 'Number of action_items',
    hour                  UInt8                          COMMENT 'Hour of call_started in the business time zone, 0 to 23',
    weekday               UInt8                          COMMENT 'Weekday of call_started in the business time zone, 1 Monday to 7 Sunday',
    customer_key          String                         COMMENT 'Keyed hash of the number of the caller: equal for the same caller; empty where not known',
    email_key             String                         COMMENT 'Keyed hash of the mentioned e-mail address; empty where not known',
    transforms            Array(LowCardinality(String))  COMMENT 'Transforms the call went through, as name@version in order',
    is_test               Bool                           COMMENT 'Whether the sender, or a rule about it, calls this a test; metrics leave tests out'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT
    tenant, call_id, received_at, loaded_at, source, parent_call_id, agent_name, caller_name, call_direction,
    call_started, call_ended, duration, business_phone_number, customer_phone_number, mentioned_email,
    mentioned_date, mentioned_time, summary, long_summary, purpose, topic, topics, sentiment, sentiment_raw,
    key_points, unanswered_questions, action_items, follow_up, follow_up_raw, follow_up_reason, ai_success,
    ai_success_raw, ended_reason, recording_url, dashboard_url, extra, turns, agent_turns, user_turns,
    agent_words, user_words, talk_ratio, words_per_minute, unanswered_count, action_item_count, hour, weekday,
    customer_key, email_key, transforms, is_test
FROM {{.Table "calls_raw"}} FINAL
COMMENT 'One row per call: its valid version, without erased calls';

CREATE OR REPLACE VIEW {{.Table "call_turns"}}{{.OnCluster}}
(
    tenant       LowCardinality(String) COMMENT 'Tenant of the source that delivered the call',
    call_id      String                 COMMENT 'Id of the call, unique within the tenant',
    call_started DateTime64(3, 'UTC')   COMMENT 'Start of the call',
    agent_name   LowCardinality(String) COMMENT 'Name of the AI agent that spoke',
    seq          UInt32                 COMMENT 'Position of the turn in the call, from 1',
    role         LowCardinality(String) COMMENT 'Who spoke: agent, user, or another role the sender named',
    words        UInt32                 COMMENT 'Words of the turn',
    is_test      Bool                   COMMENT 'Whether the call is a test; metrics leave tests out'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT tenant, call_id, call_started, agent_name, seq, role, words, is_test
FROM {{.Table "calls_raw"}} FINAL
ARRAY JOIN arrayEnumerate(turn_roles) AS seq, turn_roles AS role, turn_words AS words
COMMENT 'One row per turn of each call, without its text; the texts are in Elasticsearch';
