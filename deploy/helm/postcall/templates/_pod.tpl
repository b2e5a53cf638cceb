{{/* The secrets of a pod, as JSON: {secrets, serve, api}. The API has its own alone, and nobody else has those; serve alone has
the key of its streams and the console's password. */}}
{{- define "postcall.secretsOf" -}}
{{- $mine := dict -}}
{{- range $name, $ref := .secrets -}}
{{- if and $ref.existingSecret (eq (hasPrefix "api" $name) (eq (toString $.api) "true")) (or $.serve (not (has $name (list "encryptionKey" "consolePassword")))) -}}
{{- $_ := set $mine $name $ref -}}
{{- end -}}
{{- end -}}
{{- toJson $mine -}}
{{- end -}}

{{/* The variables of config and secrets: {config, secrets, serve, api}. */}}
{{- define "postcall.ownEnv" -}}
{{- include "postcall.configEnv" (dict "prefix" "POSTCALL" "values" .config) | trim }}
{{- range $name, $ref := include "postcall.secretsOf" . | fromJson }}
- name: POSTCALL_{{ include "postcall.snake" $name }}{{ if ne $name "apiTokens" }}_FILE{{ end }}
  value: /etc/postcall/secrets/{{ $name }}
{{- end }}
{{- end -}}

{{/* What serve, the Jobs and the test have in common: {root, config, secrets}; a job has no plugins. */}}
{{- define "postcall.env" -}}
{{- include "postcall.ownEnv" (dict "config" (omit .config "api") "secrets" .secrets "serve" .serve) }}
{{- if include "postcall.tlsSecret" .root }}
- name: POSTCALL_HTTP_CERT_PATH
  value: /etc/postcall/tls/tls.crt
- name: POSTCALL_HTTP_KEY_PATH
  value: /etc/postcall/tls/tls.key
{{- end }}
{{- if (((.root.Values.nats).credentials).existingSecret) }}
- name: POSTCALL_NATS_CREDS_PATH
  value: /etc/postcall/nats/user.creds
{{- end }}
{{- if (((.root.Values.nats).ca).existingSecret) }}
- name: POSTCALL_NATS_CA_PATH
  value: /etc/postcall/nats/ca.crt
{{- end }}
{{- if ((.root.Values.plugins).image).repository }}
- name: POSTCALL_PLUGIN_DIR
  value: /opt/postcall/plugins
{{- end }}
{{- range include "postcall.ruleFiles" .root | fromYamlArray }}
{{- if get $.root.Values.files .key }}
- name: POSTCALL_{{ .variable }}
  value: /etc/postcall/files/{{ .file }}
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
{{- if include "postcall.hasFiles" .root }}
- name: files
  mountPath: /etc/postcall/files
  readOnly: true
{{- end }}
{{- if include "postcall.tlsSecret" .root }}
- name: tls
  mountPath: /etc/postcall/tls
  readOnly: true
{{- end }}
{{- if include "postcall.natsFiles" .root }}
- name: nats
  mountPath: /etc/postcall/nats
  readOnly: true
{{- end }}
{{- if and ((.root.Values.plugins).image).repository (not .job) }}
- name: plugins
  mountPath: /opt/postcall/plugins
  readOnly: true
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

{{- define "postcall.secretsVolume" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $name, $ref := include "postcall.secretsOf" . | fromJson }}
      - secret:
          name: {{ $ref.existingSecret }}
          items:
            - key: {{ $ref.key }}
              path: {{ $name }}
      {{- end }}
{{- end -}}

{{/* Whole folders are mounted, not single keys, so that a rotated secret reaches the running pod. */}}
{{- define "postcall.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{ include "postcall.secretsVolume" . }}
{{- if include "postcall.hasFiles" .root }}
- name: files
  configMap:
    name: {{ include "postcall.fullname" .root }}
{{- end }}
{{- with include "postcall.tlsSecret" .root }}
- name: tls
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- if include "postcall.natsFiles" .root }}
- name: nats
  projected:
    defaultMode: 0440
    sources:
      {{- with .root.Values.nats.credentials }}
      {{- if .existingSecret }}
      - secret:
          name: {{ .existingSecret }}
          items: [{key: {{ .key }}, path: user.creds}]
      {{- end }}
      {{- end }}
      {{- with .root.Values.nats.ca }}
      {{- if .existingSecret }}
      - secret:
          name: {{ .existingSecret }}
          items: [{key: {{ .key }}, path: ca.crt}]
      {{- end }}
      {{- end }}
{{- end }}
{{- if and ((.root.Values.plugins).image).repository (not .job) }}
- name: plugins
  emptyDir:
    sizeLimit: 1Gi
- name: own-plugins
  {{- if eq .root.Values.plugins.mount "imageVolume" }}
  image:
    reference: {{ include "postcall.reference" (dict "image" .root.Values.plugins.image "tag" "") }}
    pullPolicy: {{ .root.Values.plugins.image.pullPolicy }}
  {{- else }}
  emptyDir:
    sizeLimit: 1Gi
  {{- end }}
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

{{/* What every pod of the chart has: no token, no service links, the restricted security profile. The API's has an account of its own. */}}
{{- define "postcall.podSpec" -}}
serviceAccountName: {{ default (include "postcall.account" (dict "root" . "values" .Values.serviceAccount)) .account }}
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

{{/* Own plugins are put beside the shipped ones, by the lock file that they came with, before the program starts. */}}
{{- define "postcall.initContainers" -}}
{{- if ((.Values.plugins).image).repository }}
initContainers:
  {{- if ne .Values.plugins.mount "imageVolume" }}
  - name: own-plugins
    image: {{ include "postcall.reference" (dict "image" .Values.plugins.image "tag" "") }}
    imagePullPolicy: {{ .Values.plugins.image.pullPolicy }}
    {{- include "postcall.confined" . | nindent 4 }}
    command:
      {{- default (list "cp" "-r" (printf "%s/." .Values.plugins.path) "/opt/postcall/own/") .Values.plugins.command | toYaml | nindent 6 }}
    volumeMounts:
      - name: own-plugins
        mountPath: /opt/postcall/own
      - name: tmp
        mountPath: /tmp
  {{- end }}
  - name: plugins
    {{- include "postcall.container" . | nindent 4 }}
    args: [plugin, install, --from, {{ ternary (printf "/opt/postcall/own%s" .Values.plugins.path) "/opt/postcall/own" (eq .Values.plugins.mount "imageVolume") }}, /opt/postcall/plugins]
    volumeMounts:
      - name: own-plugins
        mountPath: /opt/postcall/own
        readOnly: true
      - name: plugins
        mountPath: /opt/postcall/plugins
      - name: tmp
        mountPath: /tmp
{{- end }}
{{- end -}}

{{- define "postcall.natsFiles" -}}
{{- if or ((.Values.nats).credentials).existingSecret ((.Values.nats).ca).existingSecret }}true{{ end -}}
{{- end -}}

{{- define "postcall.container" -}}
image: {{ include "postcall.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{ include "postcall.confined" . }}
{{- end -}}

{{- define "postcall.confined" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources:
  {{- default .Values.resources .resources | toYaml | nindent 2 }}
{{- end -}}

{{/* The pod that runs `postcall serve`, in a StatefulSet or a Deployment. */}}
{{- define "postcall.serve" -}}
{{- $parts := dict "root" . "config" .Values.config "secrets" .Values.secrets "serve" true -}}
metadata:
  labels:
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    # Without the chart's version: only a change of the program or of its values restarts it.
    {{- include "postcall.selectorLabels" . | nindent 4 }}
    app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
    app.kubernetes.io/component: connector
  annotations:
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    checksum/config: {{ toJson .Values.files | sha256sum }}
spec:
  {{- include "postcall.podSpec" . | nindent 2 }}
  {{- include "postcall.spread" . | nindent 2 }}
  # The pause before the stop, the program's own deadline, and 10 s to spare.
  terminationGracePeriodSeconds: {{ add .Values.preStopSeconds (include "postcall.seconds" .Values.config.shutdownTimeout) 10 }}
  {{- include "postcall.initContainers" . | nindent 2 }}
  containers:
    - name: postcall
      {{- include "postcall.container" . | nindent 6 }}
      args: [serve]
      env:
        - name: POSTCALL_HTTP_ADDR
          value: ":8080"
        - name: POSTCALL_ADMIN_ADDR
          value: ":9090"
        {{- if not (include "postcall.cluster" .) }}
        - name: POSTCALL_DATA_DIR
          value: /var/lib/postcall
        {{- end }}
        {{- include "postcall.env" $parts | nindent 8 }}
      ports:
        - name: http
          containerPort: 8080
        - name: admin
          containerPort: 9090
      # A long backlog is read before the first answer.
      startupProbe:
        httpGet: {path: /livez, port: admin}
        periodSeconds: 2
        failureThreshold: 150
      livenessProbe:
        httpGet: {path: /livez, port: admin}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      # Not ready while the intake refuses; a store that is down does not matter here.
      readinessProbe:
        httpGet: {path: /readyz, port: admin}
        periodSeconds: 5
        timeoutSeconds: 5
      {{- if .Values.preStopSeconds }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ .Values.preStopSeconds }}
      {{- end }}
      volumeMounts:
        {{- if not (include "postcall.cluster" .) }}
        - name: data
          mountPath: /var/lib/postcall
        {{- end }}
        {{- include "postcall.volumeMounts" $parts | nindent 8 }}
  volumes:
    {{- if not (include "postcall.cluster" .) }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ include "postcall.claim" . }}
    {{- end }}
    {{- include "postcall.volumes" $parts | nindent 4 }}
{{- end -}}

{{/* Several pods keep apart, where they can. */}}
{{- define "postcall.spread" -}}
{{- if .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml .Values.topologySpreadConstraints | nindent 2 }}
{{- else if include "postcall.cluster" . }}
{{- include "postcall.apart" (dict "root" .) }}
{{- end }}
{{- end -}}

{{- define "postcall.apart" }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "postcall.podsOf" $ | nindent 8 }}
  {{- end }}
{{- end -}}

{{/* Annotations of the workload. postcall itself reads the webhook's and the console's secrets, its certificate and the API's tokens again; the rest
it reads once. */}}
{{- define "postcall.reloader" -}}
{{- if (.Values.reloader).enabled -}}
{{- $names := list -}}
{{- range $name, $ref := include "postcall.secretsOf" (dict "secrets" .Values.secrets "serve" true) | fromJson -}}
{{- if not (has $name (list "webhookSecret" "consolePassword")) }}{{ $names = append $names $ref.existingSecret }}{{ end -}}
{{- end -}}
{{- range compact (list ((.Values.nats).credentials).existingSecret ((.Values.nats).ca).existingSecret) -}}
{{- $names = append $names . -}}
{{- end -}}
secret.reloader.stakater.com/reload: {{ uniq $names | sortAlpha | join "," | quote }}
{{- end -}}
{{- end -}}
