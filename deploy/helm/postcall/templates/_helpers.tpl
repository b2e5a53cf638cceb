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
{{- with index (default dict .Chart.Annotations) "org.opencontainers.image.revision" }}
postcall/commit: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Values that an earlier release did not have are read so that they may be missing: `helm upgrade --reuse-values`. */}}
{{- define "postcall.cluster" -}}
{{- if eq (default "embedded" .Values.mode) "cluster" }}true{{ end -}}
{{- end -}}

{{/* The files of rules: the key under files, its file, and the variable that names it. */}}
{{- define "postcall.ruleFiles" -}}
- {key: topics, file: topics.yaml, variable: TOPICS}
- {key: plugins, file: plugins.yaml, variable: PLUGINS}
- {key: redactPolicy, file: redact-policy.yaml, variable: REDACT_POLICY}
- {key: synonyms, file: synonyms.txt, variable: ELASTICSEARCH_SYNONYMS}
- {key: sources, file: sources.yaml, variable: SOURCES}
{{- end -}}

{{/* Whether there is a file of rules to mount. */}}
{{- define "postcall.hasFiles" -}}
{{- range $text := .Values.files }}{{ if $text }}true{{ end }}{{ end -}}
{{- end -}}

{{/* The Secret of the pod's own certificate; empty speaks plain HTTP. */}}
{{- define "postcall.tlsSecret" -}}
{{- if (.Values.tls).enabled -}}
{{- default (include "postcall.certificate" .) .Values.tls.existingSecret -}}
{{- end -}}
{{- end -}}

{{/* The Secret that cert-manager writes. */}}
{{- define "postcall.certificate" -}}
{{- if (.Values.certificate).enabled }}{{ include "postcall.fullname" . }}-tls{{ end -}}
{{- end -}}

{{/* The host names that senders call, as a JSON list. */}}
{{- define "postcall.hosts" -}}
{{- $hosts := list -}}
{{- if .Values.ingress.enabled }}{{ $hosts = append $hosts .Values.ingress.host }}{{ end -}}
{{- if (.Values.gateway).enabled }}{{ $hosts = concat $hosts .Values.gateway.hostnames }}{{ end -}}
{{- uniq $hosts | toJson -}}
{{- end -}}

{{/* The reference of an image: {image, tag}. */}}
{{- define "postcall.reference" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (default .tag .image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "postcall.apiName" -}}
{{- printf "%s-api" (include "postcall.fullname" .) -}}
{{- end -}}

{{- define "postcall.claim" -}}
{{- default (printf "%s-data" (include "postcall.fullname" .)) .Values.persistence.existingClaim -}}
{{- end -}}

{{- define "postcall.image" -}}
{{- include "postcall.reference" (dict "image" .Values.image "tag" .Chart.AppVersion) -}}
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

{{/* The port of an address: {url, preset}; without one in it that of its scheme, or the preset. */}}
{{- define "postcall.port" -}}
{{- $port := regexFind ":[0-9]+$" (get (urlParse (trim .url)) "host") | trimPrefix ":" -}}
{{- default (default (ternary 443 80 (hasPrefix "https:" .url)) .preset) $port -}}
{{- end -}}

{{/* The ports of the enabled stores, as a JSON list. */}}
{{- define "postcall.storePorts" -}}
{{- $ports := list -}}
{{- with .Values.config -}}
{{- range ternary .clickhouse.addr list (has "clickhouse" .sinks) -}}
{{- $ports = append $ports (regexFind "[0-9]+$" . | int) -}}
{{- end -}}
{{- range ternary .elasticsearch.url list (has "elasticsearch" .sinks) -}}
{{- $ports = append $ports (include "postcall.port" (dict "url" .) | int) -}}
{{- end -}}
{{- end -}}
{{- range compact (list (.Values.config.nats).url) -}}
{{- range splitList "," . -}}
{{- $ports = append $ports (include "postcall.port" (dict "url" . "preset" 4222) | int) -}}
{{- end -}}
{{- end -}}
{{- if ((.Values.assets).kibana).enabled -}}
{{- $ports = append $ports (include "postcall.port" (dict "url" .Values.assets.kibana.url) | int) -}}
{{- end -}}
{{- uniq $ports | toJson -}}
{{- end -}}

{{/* The ports of the stores that the API reads, as a JSON list. */}}
{{- define "postcall.apiPorts" -}}
{{- $ports := list -}}
{{- range .Values.config.api.clickhouseAddr -}}
{{- $ports = append $ports (regexFind "[0-9]+$" . | int) -}}
{{- end -}}
{{- range .Values.config.api.elasticsearchUrl -}}
{{- $ports = append $ports (include "postcall.port" (dict "url" .) | int) -}}
{{- end -}}
{{- uniq $ports | toJson -}}
{{- end -}}

{{/* The ports of the OpenTelemetry collectors that extraEnv names, as a JSON list. One named by valueFrom is not seen. */}}
{{- define "postcall.tracePorts" -}}
{{- $ports := list -}}
{{- $grpc := "" -}}
{{- range .Values.extraEnv -}}
{{- if and (regexMatch "^OTEL_EXPORTER_OTLP_(TRACES_)?PROTOCOL$" .name) (eq (toString .value) "grpc") }}{{ $grpc = "443" }}{{ end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if and (regexMatch "^OTEL_EXPORTER_OTLP_(TRACES_)?ENDPOINT$" .name) (regexMatch "^https?://" (toString .value)) -}}
{{- $ports = append $ports (include "postcall.port" (dict "url" .value "preset" $grpc) | int) -}}
{{- end -}}
{{- end -}}
{{- uniq $ports | toJson -}}
{{- end -}}

{{/* A selector of this release's pods but the API's: policies add up, so no other one may select it. */}}
{{- define "postcall.notTheAPI" -}}
matchLabels:
  {{- include "postcall.selectorLabels" . | nindent 2 }}
matchExpressions:
  - {key: app.kubernetes.io/component, operator: NotIn, values: [api]}
{{- end -}}

{{/* A time such as 90s or 2m in seconds. */}}
{{- define "postcall.seconds" -}}
{{- mul (regexFind "^[0-9]+" . | int64) (ternary 60 1 (hasSuffix "m" .)) -}}
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
