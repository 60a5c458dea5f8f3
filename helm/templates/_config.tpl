{{/* Settings as variables of the hub: `session.idle_ms` is HUB__SESSION__IDLE_MS. */}}

{{/* (prefix, tree): a line a setting. Whole numbers come as floating ones, which print as 1e+06. */}}
{{- define "syncline.variables" -}}
{{- $prefix := .prefix -}}
{{- range $key, $value := .tree }}
{{- $name := printf "%s__%s" $prefix (upper $key) }}
{{- if kindIs "map" $value }}
{{- include "syncline.variables" (dict "prefix" $name "tree" $value) }}
{{- else if kindIs "slice" $value }}
{{ $name }}: {{ join "," $value | quote }}
{{- else if kindIs "float64" $value }}
{{ $name }}: {{ printf "%.0f" $value | quote }}
{{- else if not (kindIs "invalid" $value) }}
{{ $name }}: {{ $value | toString | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What the chart itself decides, as a tree of the same kind: (root, component). */}}
{{- define "syncline.decided" -}}
{{- $v := .root.Values -}}
{{- if eq .component "hub" }}
listen: {{ printf "%s:3010" $v.bindAddress | quote }}
{{- with $v.tls.existingSecret }}
tls:
  cert: /etc/hub/tls/tls.crt
  key: /etc/hub/tls/tls.key
{{- end }}
{{- end }}
admin_listen: {{ printf "%s:3011" $v.bindAddress | quote }}
data_dir: /data
{{- if include "syncline.isSqlite" .root }}
store:
  url: sqlite:/data/hub.db
{{- end }}
{{- with include "syncline.natsUrl" .root }}
nats:
  url: {{ . | quote }}
  {{- with $v.nats.tls.existingSecret }}
  ca: /etc/hub/nats-tls/ca.crt
  {{- if $v.nats.tls.clientCertificate }}
  cert: /etc/hub/nats-tls/tls.crt
  key: /etc/hub/nats-tls/tls.key
  {{- end }}
  {{- end }}
  {{- if eq $v.nats.auth.kind "credentials" }}
  credentials: /etc/hub/nats/hub.creds
  {{- end }}
{{- end }}
{{- end -}}

{{/* All settings that are no secrets and that variables can hold: (root, component, over), of which
     `over` is laid over `config`. */}}
{{- define "syncline.config" -}}
{{- $decided := include "syncline.decided" (dict "root" .root "component" .component) | fromYaml -}}
{{- $tree := mergeOverwrite (deepCopy .root.Values.config) (deepCopy .over) $decided -}}
{{- include "syncline.variables" (dict "prefix" "HUB" "tree" $tree) | trim -}}
{{- end -}}

{{/* (variable, secret, key) */}}
{{- define "syncline.secretVariable" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end -}}

{{/* Variables that the ConfigMap must not hold: secrets, and the pod's name. */}}
{{- define "syncline.env" -}}
{{- $own := include "syncline.secretName" . -}}
- name: HUB__NODE
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- if .Values.postgres.enabled }}
{{ include "syncline.secretVariable" (dict "variable" "POSTGRES_PASSWORD" "secret" (include "syncline.postgresSecret" .) "key" "password") }}
- name: HUB__STORE__URL
  value: postgres://syncline:$(POSTGRES_PASSWORD)@{{ include "syncline.fullname" . }}-postgres:5432/syncline?sslmode=disable
{{- else if .Values.store.url }}
{{ include "syncline.secretVariable" (dict "variable" "HUB__STORE__URL" "secret" $own "key" "store-url") }}
{{- else if .Values.store.existingSecret.name }}
{{ include "syncline.secretVariable" (dict "variable" "HUB__STORE__URL" "secret" .Values.store.existingSecret.name "key" .Values.store.existingSecret.key) }}
{{- end }}
{{- if .Values.serviceKey.value }}
{{ include "syncline.secretVariable" (dict "variable" "HUB__AUTH__SERVICE_KEY" "secret" $own "key" "service-key") }}
{{- else if .Values.serviceKey.existingSecret.name }}
{{ include "syncline.secretVariable" (dict "variable" "HUB__AUTH__SERVICE_KEY" "secret" .Values.serviceKey.existingSecret.name "key" .Values.serviceKey.existingSecret.key) }}
{{- end }}
{{- $login := .Values.nats.auth }}
{{- if eq $login.kind "nkey" }}
{{ include "syncline.secretVariable" (dict "variable" "HUB__NATS__NKEY" "secret" $login.existingSecret "key" "nkey") }}
{{- else if eq $login.kind "token" }}
{{ include "syncline.secretVariable" (dict "variable" "HUB__NATS__TOKEN" "secret" $login.existingSecret "key" "token") }}
{{- else if eq $login.kind "password" }}
{{ include "syncline.secretVariable" (dict "variable" "HUB__NATS__USER" "secret" $login.existingSecret "key" "user") }}
{{ include "syncline.secretVariable" (dict "variable" "HUB__NATS__PASSWORD" "secret" $login.existingSecret "key" "password") }}
{{- end }}
{{- with .Values.pushKey.existingSecret }}
{{- if .name }}
{{ include "syncline.secretVariable" (dict "variable" "HUB__PUSH__PRIVATE_KEY" "secret" .name "key" .key) }}
{{- end }}
{{- end }}
{{- with .Values.mailUrl.existingSecret }}
{{- if .name }}
{{ include "syncline.secretVariable" (dict "variable" "HUB__MAIL__URL" "secret" .name "key" .key) }}
{{- end }}
{{- end }}
{{- with .Values.tracesHeaders.existingSecret }}
{{- if .name }}
{{ include "syncline.secretVariable" (dict "variable" "HUB__TELEMETRY__TRACES__HEADERS" "secret" .name "key" .key) }}
{{- end }}
{{- end }}
{{- range $name, $secret := .Values.webhookSecrets }}
{{- $variable := printf "HUB__WEBHOOKS__%s" (upper $name) }}
{{ include "syncline.secretVariable" (dict "variable" (printf "%s__SECRET" $variable) "secret" $secret.name "key" (default "secret" $secret.key)) }}
{{- with $secret.old }}
{{ include "syncline.secretVariable" (dict "variable" (printf "%s__OLD_SECRET" $variable) "secret" .name "key" (default "secret" .key)) }}
{{- end }}
{{- end }}
{{- with .Values.pod.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
