{{/* Objects that the connector and the API both have: {root, part, ...}, where part is "" or "api". */}}

{{/* The metadata of any object: {root, part, suffix, component, labels, annotations}. */}}
{{- define "postcall.metadata" -}}
metadata:
  name: {{ include "postcall.fullname" .root }}{{ with .part }}-{{ . }}{{ end }}{{ .suffix }}
  labels:
    {{- with .labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- include "postcall.labels" .root | nindent 4 }}
    {{- with default .part .component }}
    app.kubernetes.io/component: {{ . }}
    {{- end }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* What selects the pods of a part. */}}
{{- define "postcall.podsOf" -}}
{{ include "postcall.selectorLabels" .root }}
app.kubernetes.io/component: {{ default "connector" .part }}
{{- end -}}

{{/* {values, target, protocol, admin}. Health and metrics have a Service of their own, so that no Ingress or load balancer shows
them; both parts' have the label that the ServiceMonitor looks for. */}}
{{- define "postcall.services" }}
apiVersion: v1
kind: Service
{{ include "postcall.metadata" (dict "root" .root "part" .part "component" (default "connector" .part) "annotations" .values.annotations) }}
spec:
  type: {{ .values.type }}
  selector:
    {{- include "postcall.podsOf" . | nindent 4 }}
  ports:
    - name: http
      port: {{ .values.port }}
      targetPort: {{ .target }}
      appProtocol: {{ .protocol }}
---
apiVersion: v1
kind: Service
{{ include "postcall.metadata" (dict "root" .root "part" .part "suffix" "-admin" "component" "admin") }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "postcall.podsOf" . | nindent 4 }}
  ports:
    - name: admin
      port: {{ .admin }}
      targetPort: admin
{{- end -}}

{{/* {values, paths, tlsSecret}: paths as {path: type}. */}}
{{- define "postcall.ingress" }}
apiVersion: networking.k8s.io/v1
kind: Ingress
{{ include "postcall.metadata" (dict "root" .root "part" .part "annotations" .values.annotations) }}
spec:
  {{- with .values.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with .tlsSecret }}
  tls:
    - hosts: [{{ $.values.host | quote }}]
      secretName: {{ . }}
  {{- end }}
  rules:
    - host: {{ .values.host | quote }}
      http:
        paths:
          {{- range .paths }}
          - path: {{ .path }}
            pathType: {{ .type }}
            backend:
              service:
                name: {{ include "postcall.fullname" $.root }}{{ with $.part }}-{{ . }}{{ end }}
                port:
                  name: http
          {{- end }}
{{- end -}}

{{/* {values, matches: types and values of paths, port of the Service}. */}}
{{- define "postcall.route" }}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
{{ include "postcall.metadata" (dict "root" .root "part" .part "annotations" .values.annotations) }}
spec:
  parentRefs:
    {{- toYaml .values.parentRefs | nindent 4 }}
  {{- with .values.hostnames }}
  hostnames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    - matches:
        {{- range .matches }}
        - path: {type: {{ .type }}, value: {{ .value }}}
        {{- end }}
      backendRefs:
        - name: {{ include "postcall.fullname" .root }}{{ with .part }}-{{ . }}{{ end }}
          port: {{ .port }}
{{- end -}}

{{/* {values}. */}}
{{- define "postcall.autoscaler" }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
{{ include "postcall.metadata" . }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "postcall.fullname" .root }}{{ with .part }}-{{ . }}{{ end }}
  minReplicas: {{ .values.minReplicas }}
  maxReplicas: {{ .values.maxReplicas }}
  metrics:
    {{- with .values.cpu }}
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ . }}}
    {{- end }}
    {{- with .values.metrics }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .values.behavior }}
  behavior:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* {maxUnavailable}. */}}
{{- define "postcall.disruptionBudget" }}
apiVersion: policy/v1
kind: PodDisruptionBudget
{{ include "postcall.metadata" . }}
spec:
  maxUnavailable: {{ .maxUnavailable }}
  selector:
    matchLabels:
      {{- include "postcall.podsOf" . | nindent 6 }}
{{- end -}}

{{/* The name of the service account of a part: {values}. */}}
{{- define "postcall.account" -}}
{{- if .values.create -}}
{{- default (printf "%s%s" (include "postcall.fullname" .root) (ternary "-api" "" (eq (toString .part) "api"))) .values.name -}}
{{- else -}}
{{- default "default" .values.name -}}
{{- end -}}
{{- end -}}

{{/* {values}. */}}
{{- define "postcall.serviceAccount" }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "postcall.account" . }}
  labels:
    {{- include "postcall.labels" .root | nindent 4 }}
    {{- with .part }}
    app.kubernetes.io/component: {{ . }}
    {{- end }}
  {{- with .values.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}
