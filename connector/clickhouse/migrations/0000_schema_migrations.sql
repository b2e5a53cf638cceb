-- Where the runner keeps what it applied. Run at the start of each apply, and not recorded itself: never change it.
CREATE TABLE IF NOT EXISTS {{.Table "schema_migrations"}}{{.OnCluster}}
(
    version    UInt32               COMMENT 'Number of the migration',
    name       String               COMMENT 'Its name',
    checksum   String               COMMENT 'SHA-256 of its source, before the names of database and cluster are filled in',
    applied_at DateTime64(3, 'UTC') COMMENT 'When it was applied last'
)
ENGINE = {{.Engine "ReplacingMergeTree" "applied_at"}}
ORDER BY version
COMMENT 'Migrations that postcall migrate apply has applied to this database';
