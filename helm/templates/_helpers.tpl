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

{{/* preStop, then the hub's drain, then what is left before it is killed: (root, over), as of
     `syncline.config`. */}}
{{- define "syncline.graceSeconds" -}}
{{- $v := .root.Values -}}
{{- $drain := dig "drain_s" $v.config.drain_s .over -}}
{{- add (int $v.preStopSeconds) (int $drain) (int $v.graceMarginSeconds) -}}
{{- end -}}

{{/* What a pod's hub is told on its line, as a list: (root, component). */}}
{{- define "syncline.args" -}}
{{- $args := list "serve" -}}
{{- if .root.Values.configFile -}}
{{- $args = concat $args (list "--config" "/etc/hub/config/hub.toml") -}}
{{- end -}}
{{- if .root.Values.compute.enabled -}}
{{- $args = concat $args (list "--roles" (ternary "sync" "compute" (eq .component "hub"))) -}}
{{- end -}}
{{- $args | toJson -}}
{{- end -}}

{{/* Whether a pod does jobs: (root, component). Without pods of their own for it hubs do, unless
     they are told otherwise. */}}
{{- define "syncline.doesJobs" -}}
{{- $roles := default (list "sync" "compute") .root.Values.config.roles -}}
{{- if eq .component "compute" -}}
yes
{{- else if and (not .root.Values.compute.enabled) (has "compute" $roles) -}}
yes
{{- end -}}
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
