-- What a taxonomy says besides the topics, and the reason of the end as the sender wrote it. Older rows get them by postcall topics reapply.
ALTER TABLE {{.Table "calls_raw"}}{{.OnCluster}} ADD COLUMN IF NOT EXISTS topic_confidence Float32 DEFAULT 0 COMMENT 'How sure the first of topics is, 0 to 1; 0 where no rule matched' AFTER topics;

ALTER TABLE {{.Table "calls_raw"}}{{.OnCluster}} ADD COLUMN IF NOT EXISTS topic_rule LowCardinality(String) DEFAULT '' COMMENT 'Rule of the taxonomy that made the first of topics, and the field it was found in; empty where no rule matched' AFTER topic_confidence;

ALTER TABLE {{.Table "calls_raw"}}{{.OnCluster}} ADD COLUMN IF NOT EXISTS ended_reason_raw LowCardinality(String) DEFAULT '' COMMENT 'endedReason as the sender wrote it' AFTER ended_reason;

ALTER TABLE {{.Table "calls_raw"}}{{.OnCluster}} COMMENT COLUMN IF EXISTS topics 'Topics of the taxonomy (map-topics), the main one first; a part of a topic is Billing/Refund';

ALTER TABLE {{.Table "calls_raw"}}{{.OnCluster}} COMMENT COLUMN IF EXISTS ended_reason 'How the call ended: caller_hangup, agent_hangup, transfer, voicemail, no_answer, busy, timeout, error, or as the sender wrote it where no vocabulary has the word'
