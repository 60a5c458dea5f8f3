{{/* What the schema cannot say: values that do not go together. `checks.yaml` calls it. */}}
{{- define "syncline.refusals" -}}
{{- $v := .Values -}}
{{- $sqlite := include "syncline.isSqlite" . -}}
{{- if not $v.config.auth.jwks_url -}}
{{- fail "config.auth.jwks_url is not set: without the issuer's keys the hub can verify no token" -}}
{{- end -}}
{{- if $sqlite -}}
  {{- if gt (int $v.replicas) 1 -}}
  {{- fail (printf "store.kind is sqlite, a file of one hub, and replicas is %d: set replicas to 1, or store.kind to postgres" (int $v.replicas)) -}}
  {{- end -}}
  {{- if $v.autoscaling.enabled -}}
  {{- fail "store.kind is sqlite, a file of one hub, and autoscaling.enabled would add more: turn it off, or set store.kind to postgres" -}}
  {{- end -}}
  {{- if $v.compute.enabled -}}
  {{- fail "store.kind is sqlite, a file of one hub, and compute.enabled adds pods that need the store: turn it off, or set store.kind to postgres" -}}
  {{- end -}}
  {{- if or $v.store.url $v.store.existingSecret.name $v.postgres.enabled -}}
  {{- fail "store.kind is sqlite, which has no URL: leave out store.url, store.existingSecret and postgres.enabled, or set store.kind" -}}
  {{- end -}}
{{- else -}}
  {{- $ways := 0 -}}
  {{- if $v.store.url -}}{{- $ways = add1 $ways -}}{{- end -}}
  {{- if $v.store.existingSecret.name -}}{{- $ways = add1 $ways -}}{{- end -}}
  {{- if $v.postgres.enabled -}}{{- $ways = add1 $ways -}}{{- end -}}
  {{- if ne (int $ways) 1 -}}
  {{- fail (printf "store.kind is %s: set one of store.existingSecret.name, store.url and postgres.enabled; %d are set" $v.store.kind (int $ways)) -}}
  {{- end -}}
  {{- if and $v.store.url (not (regexMatch (ternary "^postgres(ql)?://" "^(scylla|cassandra)://" (eq $v.store.kind "postgres")) $v.store.url)) -}}
  {{- fail (printf "store.url is of another store than store.kind, which is %s" $v.store.kind) -}}
  {{- end -}}
{{- end -}}
{{- include "syncline.rolesRefusals" . -}}
{{- include "syncline.fileRefusals" . -}}
{{- if $v.postgres.enabled -}}
  {{- if ne $v.store.kind "postgres" -}}
  {{- fail (printf "postgres.enabled is true and store.kind is %s: set store.kind to postgres" $v.store.kind) -}}
  {{- end -}}
  {{- if not (or $v.postgres.auth.password $v.postgres.auth.existingSecret) -}}
  {{- fail "postgres.enabled needs postgres.auth.existingSecret or postgres.auth.password" -}}
  {{- end -}}
{{- end -}}
{{- if and $v.nats.enabled $v.nats.url -}}
{{- fail "nats.enabled and nats.url are both set: one NATS is enough" -}}
{{- end -}}
{{- if and $v.nats.enabled (or (ne $v.nats.auth.kind "none") $v.nats.tls.existingSecret) -}}
{{- fail "nats.enabled is for trying out and has no login and no TLS: leave nats.auth and nats.tls out, or name your own in nats.url" -}}
{{- end -}}
{{- if not (include "syncline.natsUrl" .) -}}
  {{- if or (ne $v.nats.auth.kind "none") $v.nats.tls.existingSecret -}}
  {{- fail "nats.auth or nats.tls is set, but nats.url is not" -}}
  {{- end -}}
{{- end -}}
{{- if and (ne $v.nats.auth.kind "none") (not $v.nats.auth.existingSecret) -}}
{{- fail (printf "nats.auth.kind is %s: name the Secret in nats.auth.existingSecret" $v.nats.auth.kind) -}}
{{- end -}}
{{- if and $v.nats.tls.clientCertificate (not $v.nats.tls.existingSecret) -}}
{{- fail "nats.tls.clientCertificate needs nats.tls.existingSecret" -}}
{{- end -}}
{{- if and $v.serviceKey.value $v.serviceKey.existingSecret.name -}}
{{- fail "serviceKey.value and serviceKey.existingSecret are both set" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.socketsPerNode) (int (default 200000 (dig "gateway" "sockets_max" 200000 $v.config)))) -}}
{{- fail "autoscaling.socketsPerNode is more than config.gateway.sockets_max: nodes would refuse sockets before others are added" -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- fail "ingress.enabled needs ingress.hosts" -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled needs httpRoute.parentRefs: which Gateway" -}}
{{- end -}}
{{- end -}}

{{/* Who does jobs. */}}
{{- define "syncline.rolesRefusals" -}}
{{- $v := .Values -}}
{{- if $v.compute.config.roles -}}
{{- fail "compute.config.roles: what those pods do is said by compute.enabled" -}}
{{- end -}}
{{- with $v.config.roles -}}
  {{- if $v.compute.enabled -}}
  {{- fail "config.roles and compute.enabled are both set: with pods that do jobs alone, hubs do none" -}}
  {{- end -}}
  {{- if not (has "sync" .) -}}
  {{- fail "config.roles leaves out sync, so nobody takes devices: for pods that do jobs alone set compute.enabled" -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* What does not belong into a file that everybody in the namespace may read, and endpoints of
     which one half is missing. Whether it is a good configuration, the hub says. */}}
{{- define "syncline.fileRefusals" -}}
{{- $v := .Values -}}
{{- $file := fromToml $v.configFile -}}
{{- if kindIs "string" $file.Error -}}
{{- fail (printf "configFile is no TOML: %s" $file.Error) -}}
{{- end -}}
{{- range $name, $table := $file -}}
  {{- if not (has $name (list "app" "webhooks")) -}}
  {{- fail (printf "configFile sets %s, which belongs under config or to a Secret: it holds the tables app and webhooks alone" $name) -}}
  {{- end -}}
  {{- if not (kindIs "map" $table) -}}
  {{- fail (printf "configFile: %s is no table" $name) -}}
  {{- end -}}
{{- end -}}
{{- $endpoints := default dict $file.webhooks -}}
{{- range $name, $endpoint := $endpoints -}}
  {{- if not (kindIs "map" $endpoint) -}}
  {{- fail (printf "configFile: webhooks.%s is no table" $name) -}}
  {{- end -}}
  {{- range $key := list "secret" "old_secret" -}}
    {{- if hasKey $endpoint $key -}}
    {{- fail (printf "configFile holds webhooks.%s.%s, and a ConfigMap keeps no secret: name its Secret in webhookSecrets.%s" $name $key $name) -}}
    {{- end -}}
  {{- end -}}
  {{- if regexMatch "^[A-Za-z]+://[^/?#]*@" (toString $endpoint.url) -}}
  {{- fail (printf "configFile holds webhooks.%s.url with a password, and a ConfigMap keeps no secret: set HUB__WEBHOOKS__%s__URL of a Secret in pod.extraEnv" $name (upper $name)) -}}
  {{- end -}}
  {{- if not (hasKey $v.webhookSecrets $name) -}}
  {{- fail (printf "configFile has webhooks.%s, and webhookSecrets.%s does not say what signs its events" $name $name) -}}
  {{- end -}}
{{- end -}}
{{- range $name, $secret := $v.webhookSecrets -}}
  {{- if not (hasKey $endpoints $name) -}}
  {{- fail (printf "webhookSecrets.%s is of no endpoint: configFile has no [webhooks.%s]" $name $name) -}}
  {{- end -}}
{{- end -}}
{{- end -}}
