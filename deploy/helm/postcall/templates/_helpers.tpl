{{/* The name of the chart in labels. */}}
{{- define "postcall.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of every object: short enough for what is added behind it and for a pod's controller label. */}}
{{- define "postcall.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 42 | trimSuffix "-" -}}
{{- else if contains (include "postcall.name" .) .Release.Name -}}
{{- .Release.Name | trunc 42 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "postcall.name" .) | trunc 42 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "postcall.selectorLabels" -}}
app.kubernetes.io/name: {{ include "postcall.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "postcall.labels" -}}
{{ include "postcall.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "postcall.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "postcall.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "postcall.claim" -}}
{{- default (printf "%s-data" (include "postcall.fullname" .)) .Values.persistence.existingClaim -}}
{{- end -}}

{{- define "postcall.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* camelCase as in a variable: maxInFlight -> MAX_IN_FLIGHT. */}}
{{- define "postcall.snake" -}}
{{- regexReplaceAll "([a-z0-9])([A-Z])" . "${1}_${2}" | upper -}}
{{- end -}}

{{/* A tree of values as variables, its path being the name: {prefix, values}. An empty value is no variable. */}}
{{- define "postcall.configEnv" -}}
{{- range $key, $value := .values }}
{{- $name := printf "%s_%s" $.prefix (include "postcall.snake" $key) }}
{{- if kindIs "map" $value }}
{{- include "postcall.configEnv" (dict "prefix" $name "values" $value) }}
{{- else if $value }}
- name: {{ $name }}
  {{- if kindIs "slice" $value }}
  value: {{ join "," $value | quote }}
  {{- else if kindIs "float64" $value }}
  value: {{ int64 $value | quote }}
  {{- else }}
  value: {{ toString $value | quote }}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What serve, the migration Job and the test have in common: {root, config, secrets}. */}}
{{- define "postcall.env" -}}
{{- include "postcall.configEnv" (dict "prefix" "POSTCALL" "values" .config) | trim }}
{{- range $name, $ref := .secrets }}
{{- if $ref.existingSecret }}
- name: POSTCALL_{{ include "postcall.snake" $name }}_FILE
  value: /etc/postcall/secrets/{{ $name }}
{{- end }}
{{- end }}
{{- with .root.Values.files }}
{{- if .topics }}
- name: POSTCALL_TOPICS
  value: /etc/postcall/files/topics.yaml
{{- end }}
{{- if .plugins }}
- name: POSTCALL_PLUGINS
  value: /etc/postcall/files/plugins.yaml
{{- end }}
{{- if .redactPolicy }}
- name: POSTCALL_REDACT_POLICY
  value: /etc/postcall/files/redact-policy.yaml
{{- end }}
{{- if .synonyms }}
- name: POSTCALL_ELASTICSEARCH_SYNONYMS
  value: /etc/postcall/files/synonyms.txt
{{- end }}
{{- if .sources }}
- name: POSTCALL_SOURCES
  value: /etc/postcall/files/sources.yaml
{{- end }}
{{- end }}
{{- with .root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "postcall.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
- name: secrets
  mountPath: /etc/postcall/secrets
  readOnly: true
{{- with .root.Values.files }}
{{- if or .topics .redactPolicy .plugins .synonyms .sources }}
- name: files
  mountPath: /etc/postcall/files
  readOnly: true
{{- end }}
{{- end }}
{{- range .root.Values.sourceSecrets }}
- name: source-{{ .name }}
  mountPath: /etc/postcall/sources/{{ .name }}
  readOnly: true
{{- end }}
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Whole folders are mounted, not single keys, so that a rotated secret reaches the running pod. */}}
{{- define "postcall.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $name, $ref := .secrets }}
      {{- if $ref.existingSecret }}
      - secret:
          name: {{ $ref.existingSecret }}
          items:
            - key: {{ $ref.key }}
              path: {{ $name }}
      {{- end }}
      {{- end }}
{{- if or .root.Values.files.topics .root.Values.files.redactPolicy .root.Values.files.plugins .root.Values.files.synonyms .root.Values.files.sources }}
- name: files
  configMap:
    name: {{ include "postcall.fullname" .root }}
{{- end }}
{{- range .root.Values.sourceSecrets }}
- name: source-{{ .name }}
  secret:
    secretName: {{ .name }}
    defaultMode: 0440
{{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What every pod of the chart has: no token, no service links, the restricted security profile. */}}
{{- define "postcall.podSpec" -}}
serviceAccountName: {{ include "postcall.serviceAccountName" . }}
automountServiceAccountToken: false
# Service links would set POSTCALL_PORT=tcp://..., which the program refuses as an unknown variable.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "postcall.container" -}}
image: {{ include "postcall.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- end -}}

{{/* The ports of the enabled stores, as a JSON list. */}}
{{- define "postcall.storePorts" -}}
{{- $ports := list -}}
{{- with .Values.config -}}
{{- if has "clickhouse" .sinks -}}
{{- range .clickhouse.addr -}}
{{- $ports = append $ports (regexFind "[0-9]+$" . | int) -}}
{{- end -}}
{{- end -}}
{{- if has "elasticsearch" .sinks -}}
{{- range .elasticsearch.url -}}
{{- $port := regexFind ":[0-9]+$" (get (urlParse .) "host") | trimPrefix ":" -}}
{{- $ports = append $ports (default (ternary 443 80 (hasPrefix "https:" .)) $port | int) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- uniq $ports | toJson -}}
{{- end -}}

{{/* config.shutdownTimeout in seconds: 90s or 2m. */}}
{{- define "postcall.shutdownSeconds" -}}
{{- $timeout := .Values.config.shutdownTimeout -}}
{{- mul (regexFind "^[0-9]+" $timeout | int64) (ternary 60 1 (hasSuffix "m" $timeout)) -}}
{{- end -}}

{{/* A size such as 2GiB or 10Gi in MiB; sizes below one MiB count as none. */}}
{{- define "postcall.mebibytes" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- $unit := regexFind "[KMGT]" . -}}
{{- if eq $unit "T" -}}{{ mul $number 1048576 }}
{{- else if eq $unit "G" -}}{{ mul $number 1024 }}
{{- else if eq $unit "M" -}}{{ $number }}
{{- else -}}{{ div $number 1024 }}
{{- end -}}
{{- end -}}

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
{{- if not $.Values.persistence.existingClaim -}}
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
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- $wrong = append $wrong "ingress.host is empty: name the host that the sender calls" -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if hasPrefix "POSTCALL_" .name -}}
{{- $wrong = append $wrong (printf "extraEnv has %s: set it by its key under config, secrets or files" .name) -}}
{{- end -}}
{{- end -}}
{{- if $wrong -}}
{{- printf "\n  - %s\n" (join "\n  - " $wrong) | fail -}}
{{- end -}}
{{- end -}}
