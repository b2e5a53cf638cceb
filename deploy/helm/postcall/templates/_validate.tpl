{{/* Everything that is wrong with the values, at once, each by the key that is wrong. */}}
{{- define "postcall.validate" -}}
{{- $wrong := list -}}
{{- $secrets := .Values.secrets -}}
{{- if not (or $secrets.webhookSecret.existingSecret .Values.files.sources) -}}
{{- $wrong = append $wrong "secrets.webhookSecret.existingSecret is empty: name the Secret with the shared secret of the sender, since without one anybody could deliver" -}}
{{- end -}}
{{- if not $secrets.redactKey.existingSecret -}}
{{- $wrong = append $wrong "secrets.redactKey.existingSecret is empty: name the Secret with the key of the hashes that replace personal values" -}}
{{- end -}}
{{- with .Values.config -}}
{{- if and (has "clickhouse" .sinks) (not .clickhouse.addr) -}}
{{- $wrong = append $wrong "config.clickhouse.addr is empty: name the host:port of ClickHouse, or take clickhouse out of config.sinks" -}}
{{- end -}}
{{- if has "elasticsearch" .sinks -}}
{{- if not .elasticsearch.url -}}
{{- $wrong = append $wrong "config.elasticsearch.url is empty: name the addresses of Elasticsearch, or take elasticsearch out of config.sinks" -}}
{{- end -}}
{{- range .elasticsearch.url -}}
{{- if contains "@" . -}}
{{- $wrong = append $wrong "config.elasticsearch.url holds credentials: write the address alone, and name a Secret by secrets.elasticsearchApiKey.existingSecret or secrets.elasticsearchPassword.existingSecret" -}}
{{- end -}}
{{- end -}}
{{- if and $secrets.elasticsearchApiKey.existingSecret (or .elasticsearch.username $secrets.elasticsearchPassword.existingSecret) -}}
{{- $wrong = append $wrong "secrets.elasticsearchApiKey.existingSecret is set beside a user: choose one, and leave config.elasticsearch.username and secrets.elasticsearchPassword.existingSecret empty for the API key" -}}
{{- end -}}
{{- if and $secrets.elasticsearchPassword.existingSecret (not .elasticsearch.username) -}}
{{- $wrong = append $wrong "config.elasticsearch.username is empty: name the user of secrets.elasticsearchPassword.existingSecret" -}}
{{- end -}}
{{- end -}}
{{- if not (or $.Values.persistence.existingClaim (include "postcall.cluster" $)) -}}
{{- $streams := 0 -}}
{{- range list .intake.maxBytes .batch.maxBytes .batch.deadBytes -}}
{{- $streams = add $streams (include "postcall.mebibytes" . | int64) -}}
{{- end -}}
{{- $needed := div (add (mul $streams 100) 84) 85 -}}
{{- if lt (include "postcall.mebibytes" $.Values.persistence.size | int64) $needed -}}
{{- $wrong = append $wrong (printf "persistence.size is %s: make it %dMi at least, so that config.intake.maxBytes + config.batch.maxBytes + config.batch.deadBytes fill 85 %% of it at most: a full disk stops the streams" $.Values.persistence.size $needed) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.replicas (not (include "postcall.cluster" .)) -}}
{{- $wrong = append $wrong "replicas is set in mode embedded, which has one pod: its volume has one writer; leave it empty, or set mode to cluster" -}}
{{- end -}}
{{- $nats := default "" (.Values.config.nats).url -}}
{{- if and (include "postcall.cluster" .) (not $nats) -}}
{{- $wrong = append $wrong "config.nats.url is empty: name the JetStream cluster, such as nats://nats.nats:4222, or set mode to embedded" -}}
{{- end -}}
{{- if and $nats (not (include "postcall.cluster" .)) -}}
{{- $wrong = append $wrong "config.nats.url is set in mode embedded: set mode to cluster, or leave it empty" -}}
{{- end -}}
{{- if and $nats ($secrets.encryptionKey).existingSecret -}}
{{- $wrong = append $wrong "secrets.encryptionKey.existingSecret is set in mode cluster: the servers of NATS encrypt what they hold; leave it empty" -}}
{{- end -}}
{{- if contains "@" $nats -}}
{{- $wrong = append $wrong "config.nats.url holds credentials: write the address alone, and name a Secret by nats.credentials.existingSecret" -}}
{{- end -}}
{{- range $key := list "credentials" "ca" -}}
{{- $path := ternary "credsPath" "caPath" (eq $key "credentials") -}}
{{- if and (get (default dict (get (default dict $.Values.nats) $key)) "existingSecret") (get (default dict $.Values.config.nats) $path) -}}
{{- $wrong = append $wrong (printf "config.nats.%s is set beside nats.%s.existingSecret: choose one" $path $key) -}}
{{- end -}}
{{- end -}}
{{- if (.Values.tls).enabled -}}
{{- if not (include "postcall.tlsSecret" .) -}}
{{- $wrong = append $wrong "tls.existingSecret is empty: name a Secret with tls.crt and tls.key, or let cert-manager make one by certificate.enabled" -}}
{{- end -}}
{{- if .Values.config.http.certPath -}}
{{- $wrong = append $wrong "config.http.certPath is set beside tls.enabled: choose one" -}}
{{- end -}}
{{- end -}}
{{- if (.Values.certificate).enabled -}}
{{- if not .Values.certificate.issuer.name -}}
{{- $wrong = append $wrong "certificate.issuer.name is empty: name cert-manager's Issuer or ClusterIssuer" -}}
{{- end -}}
{{- if not (or .Values.certificate.dnsNames (include "postcall.hosts" . | fromJsonArray)) -}}
{{- $wrong = append $wrong "certificate.dnsNames is empty: name the hosts that the sender calls, or set ingress.host or gateway.hostnames" -}}
{{- end -}}
{{- end -}}
{{- if and (.Values.gateway).enabled (not .Values.gateway.parentRefs) -}}
{{- $wrong = append $wrong "gateway.parentRefs is empty: name the Gateway that the route belongs to, as `- name: x`" -}}
{{- end -}}
{{- if ((.Values.plugins).image).repository -}}
{{- if .Values.config.pluginDir -}}
{{- $wrong = append $wrong "config.pluginDir is set beside plugins.image.repository: the chart puts all plugins into one folder; leave it empty" -}}
{{- end -}}
{{- if not (or .Values.plugins.image.tag .Values.plugins.image.digest) -}}
{{- $wrong = append $wrong "plugins.image.digest is empty: name the digest or the tag of the image with your plugins" -}}
{{- end -}}
{{- if and (eq .Values.plugins.mount "imageVolume") (semverCompare "<1.33.0-0" .Capabilities.KubeVersion.Version) -}}
{{- $wrong = append $wrong (printf "plugins.mount is imageVolume, which Kubernetes %s does not have: set it to initContainer" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- end -}}
{{- if ((.Values.assets).kibana).enabled -}}
{{- if not .Values.assets.kibana.url -}}
{{- $wrong = append $wrong "assets.kibana.url is empty: name Kibana's address" -}}
{{- end -}}
{{- if contains "@" .Values.assets.kibana.url -}}
{{- $wrong = append $wrong "assets.kibana.url holds credentials: write the address alone, and name a Secret by assets.kibana.existingSecret" -}}
{{- end -}}
{{- end -}}
{{- if and ((.Values.autoscaling).enabled) (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- $wrong = append $wrong "autoscaling.maxReplicas is below autoscaling.minReplicas: raise it" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- $wrong = append $wrong "ingress.host is empty: name the host that the sender calls" -}}
{{- end -}}
{{- if (.Values.api).enabled -}}
{{- with .Values.config.api -}}
{{- if not (or .clickhouseAddr .elasticsearchUrl) -}}
{{- $wrong = append $wrong "config.api.clickhouseAddr and config.api.elasticsearchUrl are empty: name a store that the API reads, or set api.enabled to false" -}}
{{- end -}}
{{- if and .clickhouseAddr (not .clickhouseUsername) -}}
{{- $wrong = append $wrong "config.api.clickhouseUsername is empty: name a user that may read alone, with the role postcall_reader" -}}
{{- end -}}
{{- range $store := list "clickhouse" "elasticsearch" -}}
{{- $reader := get $.Values.config.api (printf "%sUsername" $store) -}}
{{- if and $reader (eq $reader (default "default" (get (get $.Values.config $store) "username"))) -}}
{{- $wrong = append $wrong (printf "config.api.%sUsername is config.%s.username, which writes: name a user that may read alone" $store $store) -}}
{{- end -}}
{{- end -}}
{{- range .elasticsearchUrl -}}
{{- if contains "@" . -}}
{{- $wrong = append $wrong "config.api.elasticsearchUrl holds credentials: write the address alone, and name a Secret by secrets.apiElasticsearchApiKey.existingSecret or secrets.apiElasticsearchPassword.existingSecret" -}}
{{- end -}}
{{- end -}}
{{- if and $secrets.apiElasticsearchApiKey.existingSecret (or .elasticsearchUsername $secrets.apiElasticsearchPassword.existingSecret) -}}
{{- $wrong = append $wrong "secrets.apiElasticsearchApiKey.existingSecret is set beside a user: choose one, and leave config.api.elasticsearchUsername and secrets.apiElasticsearchPassword.existingSecret empty for the API key" -}}
{{- end -}}
{{- if and $secrets.apiElasticsearchPassword.existingSecret (not .elasticsearchUsername) -}}
{{- $wrong = append $wrong "config.api.elasticsearchUsername is empty: name the user of secrets.apiElasticsearchPassword.existingSecret" -}}
{{- end -}}
{{- end -}}
{{- range $name := list "clickhousePassword" "elasticsearchPassword" "elasticsearchApiKey" -}}
{{- $reads := printf "api%s" (title $name) -}}
{{- if and (get $secrets $reads).existingSecret (eq (toJson (get $secrets $reads)) (toJson (get $secrets $name))) -}}
{{- $wrong = append $wrong (printf "secrets.%s is secrets.%s, which writes: name a Secret of one that may read alone" $reads $name) -}}
{{- end -}}
{{- end -}}
{{- if not $secrets.apiTokens.existingSecret -}}
{{- $wrong = append $wrong "secrets.apiTokens.existingSecret is empty: name the Secret with the lines of those who may ask, as postcall api token new prints them" -}}
{{- end -}}
{{- with .Values.api -}}
{{- if and .ingress.enabled (not .ingress.host) -}}
{{- $wrong = append $wrong "api.ingress.host is empty: name the host that is asked" -}}
{{- end -}}
{{- if and (.gateway).enabled (not .gateway.parentRefs) -}}
{{- $wrong = append $wrong "api.gateway.parentRefs is empty: name the Gateway that the route belongs to, as `- name: x`" -}}
{{- end -}}
{{- if and .autoscaling.enabled (gt (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas)) -}}
{{- $wrong = append $wrong "api.autoscaling.maxReplicas is below api.autoscaling.minReplicas: raise it" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range concat .Values.extraEnv (default list (.Values.api).extraEnv) -}}
{{- if hasPrefix "POSTCALL_" .name -}}
{{- $wrong = append $wrong (printf "extraEnv has %s: set it by its key under config, secrets or files" .name) -}}
{{- end -}}
{{- end -}}
{{- if $wrong -}}
{{- printf "\n  - %s\n" (join "\n  - " $wrong) | fail -}}
{{- end -}}
{{- end -}}
