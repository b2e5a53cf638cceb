-- The definer's rights apply, so that a reader needs no grant on calls_raw.
CREATE OR REPLACE VIEW {{.Table "call_turns"}}{{.OnCluster}}
(
    tenant       LowCardinality(String) COMMENT 'Tenant of the source that delivered the call',
    call_id      String                 COMMENT 'Id of the call, unique within the tenant',
    call_started DateTime64(3, 'UTC')   COMMENT 'Start of the call',
    agent_name   LowCardinality(String) COMMENT 'Name of the AI agent that spoke',
    day          Date                   COMMENT 'Day of call_started in the business time zone',
    seq          UInt32                 COMMENT 'Position of the turn in the call, from 1',
    role         LowCardinality(String) COMMENT 'Who spoke: agent, user, or another role the sender named',
    words        UInt32                 COMMENT 'Words of the turn',
    is_test      Bool                   COMMENT 'Whether the call is a test; metrics leave tests out'
)
DEFINER = CURRENT_USER SQL SECURITY DEFINER
AS SELECT tenant, call_id, call_started, agent_name, day, seq, role, words, is_test
FROM {{.Table "calls_raw"}} FINAL
ARRAY JOIN arrayEnumerate(turn_roles) AS seq, turn_roles AS role, turn_words AS words
COMMENT 'One row per turn of each call, without its text; the texts are in Elasticsearch';
