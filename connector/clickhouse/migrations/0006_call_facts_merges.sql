-- Once a day all older parts become one: FINAL then merges one large part with today's small ones, which halves what a question costs.
ALTER TABLE {{.Table "call_facts_raw"}}{{.OnCluster}} MODIFY SETTING min_age_to_force_merge_seconds = 86400;
