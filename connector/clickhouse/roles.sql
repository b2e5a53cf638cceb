-- Rights for postcall in ClickHouse, for an administrator to run: before `postcall migrate apply`, since what is granted need not
-- exist yet, and again after an update, which can bring new views. Then for each user:
--
--   CREATE USER ...{{.OnCluster}} IDENTIFIED BY '...'
--   GRANT{{.OnCluster}} {{.Database}}_writer TO ...
--
-- {{.Database}}_migrator is for `postcall migrate`, {{.Database}}_writer for `postcall serve`, {{.Database}}_analyst for people, {{.Database}}_reader for
-- programs that ask for metrics. Views keep the rights of the user who ran `postcall migrate`: don't drop that user.

CREATE ROLE IF NOT EXISTS {{.Database}}_migrator{{.OnCluster}};
GRANT{{.OnCluster}} CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP VIEW, ALTER, SELECT, INSERT, SHOW TABLES, SHOW COLUMNS ON {{.Database}}.* TO {{.Database}}_migrator;
{{- range .System}}
GRANT{{$.OnCluster}} SELECT ON system.{{.}} TO {{$.Database}}_migrator;
{{- end}}
{{- if .OnCluster}}
GRANT{{.OnCluster}} CLUSTER ON *.* TO {{.Database}}_migrator;
{{- end}}

-- Loads, compares, maps again and erases calls: `serve`, `audit`, `doctor`, `topics reapply`, `forget`.
CREATE ROLE IF NOT EXISTS {{.Database}}_writer{{.OnCluster}};
GRANT{{.OnCluster}} SELECT, INSERT, ALTER DELETE ON {{.Database}}.calls_raw TO {{.Database}}_writer;
GRANT{{.OnCluster}} SELECT, ALTER DELETE ON {{.Database}}.call_facts_raw TO {{.Database}}_writer;
GRANT{{.OnCluster}} SHOW TABLES ON {{.Database}}.call_facts_copy TO {{.Database}}_writer;
GRANT{{.OnCluster}} SELECT ON {{.Database}}.schema_migrations TO {{.Database}}_writer;
GRANT{{.OnCluster}} SELECT ON {{.Database}}.schema_views TO {{.Database}}_writer;
GRANT{{.OnCluster}} CREATE TEMPORARY TABLE ON *.* TO {{.Database}}_writer;
{{- range .System}}
GRANT{{$.OnCluster}} SELECT ON system.{{.}} TO {{$.Database}}_writer;
{{- end}}

-- Read the views, which hide versions and erased calls, and not the tables behind them.
CREATE ROLE IF NOT EXISTS {{.Database}}_analyst{{.OnCluster}};
CREATE ROLE IF NOT EXISTS {{.Database}}_reader{{.OnCluster}};
{{- range .Views}}
GRANT{{$.OnCluster}} SELECT ON {{$.Database}}.{{.}} TO {{$.Database}}_analyst, {{$.Database}}_reader;
{{- end}}

-- readonly = 2 lets clients such as Grafana set what a query may take, within the bounds here.
CREATE SETTINGS PROFILE IF NOT EXISTS {{.Database}}_analyst{{.OnCluster}} SETTINGS readonly = 2, max_execution_time = 60 MAX 600, max_memory_usage = 4000000000 MAX 8000000000 TO {{.Database}}_analyst;
CREATE SETTINGS PROFILE IF NOT EXISTS {{.Database}}_reader{{.OnCluster}} SETTINGS readonly = 2, max_execution_time = 10 MAX 30, max_memory_usage = 2000000000 MAX 4000000000, max_result_rows = 100000 MAX 1000000 TO {{.Database}}_reader;
CREATE QUOTA IF NOT EXISTS {{.Database}}_analyst{{.OnCluster}} KEYED BY user_name FOR INTERVAL 1 hour MAX queries = 5000, execution_time = 1800 TO {{.Database}}_analyst;
CREATE QUOTA IF NOT EXISTS {{.Database}}_reader{{.OnCluster}} KEYED BY user_name FOR INTERVAL 1 minute MAX queries = 600, execution_time = 60 TO {{.Database}}_reader;
