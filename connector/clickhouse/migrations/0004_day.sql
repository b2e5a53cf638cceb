-- The business day follows from what there is: it is the day next to the one in UTC that has the weekday. So old rows have it too.
ALTER TABLE {{.Table "calls_raw"}}{{.OnCluster}} ADD COLUMN IF NOT EXISTS day Date DEFAULT
    toDate(call_started) + if(weekday = 0, 0, (weekday - toDayOfWeek(call_started) + 10) % 7 - 3)
    COMMENT 'Day of call_started in the business time zone' AFTER weekday;

-- Where the runner keeps which views it made of which text; they are made again when their text changes.
CREATE TABLE IF NOT EXISTS {{.Table "schema_views"}}{{.OnCluster}}
(
    name       String               COMMENT 'Name of the view',
    checksum   String               COMMENT 'SHA-256 of its source, before the names of database and cluster are filled in',
    applied_at DateTime64(3, 'UTC') COMMENT 'When it was made last'
)
ENGINE = {{.Engine "ReplacingMergeTree" "applied_at"}}
ORDER BY name
COMMENT 'Views that postcall migrate apply has made in this database';
