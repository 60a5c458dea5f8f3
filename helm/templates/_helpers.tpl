{{/* Names, labels, and what several objects share. */}}

{{- define "syncline.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for what is put behind it, and for a pod's own suffix. */}}
{{- define "syncline.fullname" -}}
{{- $name := include "syncline.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "syncline.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "syncline.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What never changes of an object: (root, component). */}}
{{- define "syncline.selector" -}}
app.kubernetes.io/name: {{ include "syncline.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "syncline.labels" -}}
{{ include "syncline.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* (image, default tag) */}}
{{- define "syncline.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .tag .image.tag }}
{{- end -}}
{{- end -}}

{{/* `restricted` of the pod security standards, and more: (uid). */}}
{{- define "syncline.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .uid | int }}
runAsGroup: {{ .uid | int }}
fsGroup: {{ .uid | int }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "syncline.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "syncline.isSqlite" -}}
{{- if eq .Values.store.kind "sqlite" -}}yes{{- end -}}
{{- end -}}

{{/* Where this chart's own servers are, if it has them. */}}
{{- define "syncline.natsUrl" -}}
{{- if .Values.nats.enabled -}}
nats://{{ include "syncline.fullname" . }}-nats:4222
{{- else -}}
{{- .Values.nats.url -}}
{{- end -}}
{{- end -}}

{{- define "syncline.secretName" -}}
{{ include "syncline.fullname" . }}-secret
{{- end -}}

{{- define "syncline.postgresSecret" -}}
{{- default (printf "%s-postgres" (include "syncline.fullname" .)) .Values.postgres.auth.existingSecret -}}
{{- end -}}

{{/* preStop, then the hub's drain, then what is left before it is killed. */}}
{{- define "syncline.graceSeconds" -}}
{{- add (int .Values.preStopSeconds) (int .Values.config.drain_s) (int .Values.graceMarginSeconds) -}}
{{- end -}}

{{/* The file part of what the hub is told, for the store: ports to be let out on. */}}
{{- define "syncline.storePorts" -}}
{{- if .Values.networkPolicy.storePorts -}}
{{- .Values.networkPolicy.storePorts | toJson -}}
{{- else if eq .Values.store.kind "postgres" -}}
[5432]
{{- else -}}
[9042]
{{- end -}}
{{- end -}}
