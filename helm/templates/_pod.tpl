{{/* The template of a hub's pod: (root, component, config: name of the ConfigMap, over, resources). */}}
{{- define "syncline.pod" -}}
{{- $root := .root -}}
{{- $v := $root.Values -}}
metadata:
  labels:
    {{- include "syncline.labels" (dict "root" $root "component" .component) | nindent 4 }}
    {{- with $v.pod.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # A changed setting or secret of the chart restarts the pods, one after another.
    checksum/config: {{ printf "%s\n%s" (include "syncline.config" .) $v.configFile | sha256sum }}
    checksum/secret: {{ printf "%s\n%s\n%s" $v.store.url $v.serviceKey.value $v.postgres.auth.password | sha256sum }}
    {{- with $v.pod.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "syncline.serviceAccount" $root }}
  automountServiceAccountToken: false
  # Variables of other Services are not the hub's.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "syncline.graceSeconds" . }}
  securityContext:
    {{- include "syncline.podSecurity" (dict "uid" $v.pod.runAsUser) | nindent 4 }}
  {{- with $v.imagePullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $v.pod.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $v.pod.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.pod.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.pod.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $v.topologySpread.enabled }}
  topologySpreadConstraints:
    {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: {{ $v.topologySpread.whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- include "syncline.selector" (dict "root" $root "component" $.component) | nindent 10 }}
      {{- if not (include "syncline.isSqlite" $root) }}
      # Pods of the version before are going away.
      matchLabelKeys: [pod-template-hash]
      {{- end }}
    {{- end }}
  {{- end }}
  containers:
    - name: hub
      image: {{ include "syncline.image" (dict "image" $v.image "tag" $root.Chart.AppVersion) | quote }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args: {{ include "syncline.args" . }}
      envFrom:
        - configMapRef:
            name: {{ .config }}
      env:
        {{- include "syncline.env" $root | nindent 8 }}
      ports:
        {{- if eq .component "hub" }}
        - name: public
          containerPort: 3010
        {{- end }}
        - name: admin
          containerPort: 3011
      # All three ask the admin port, which is never TLS and has connections of its own: a public
      # port that is full of devices is no reason to restart.
      startupProbe:
        httpGet: {path: /health, port: admin}
        {{- toYaml $v.probes.startup | nindent 8 }}
      readinessProbe:
        httpGet: {path: /ready, port: admin}
        {{- toYaml $v.probes.readiness | nindent 8 }}
      livenessProbe:
        httpGet: {path: /health, port: admin}
        {{- toYaml $v.probes.liveness | nindent 8 }}
      {{- if $v.preStopSeconds }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ int $v.preStopSeconds }}
      {{- end }}
      resources:
        {{- toYaml .resources | nindent 8 }}
      securityContext:
        {{- include "syncline.containerSecurity" $root | nindent 8 }}
      volumeMounts:
        - {name: data, mountPath: /data}
        {{- if $v.configFile }}
        - {name: file, mountPath: /etc/hub/config, readOnly: true}
        {{- end }}
        {{- if and $v.tls.existingSecret (eq .component "hub") }}
        - {name: tls, mountPath: /etc/hub/tls, readOnly: true}
        {{- end }}
        {{- with $v.store.caSecret }}
        - {name: store-ca, mountPath: /etc/hub/store, readOnly: true}
        {{- end }}
        {{- with $v.nats.tls.existingSecret }}
        - {name: nats-tls, mountPath: /etc/hub/nats-tls, readOnly: true}
        {{- end }}
        {{- if eq $v.nats.auth.kind "credentials" }}
        - {name: nats, mountPath: /etc/hub/nats, readOnly: true}
        {{- end }}
        {{- with $v.pod.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  {{- with include "syncline.volumes" . | trim }}
  volumes:
    {{- . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "syncline.volumes" -}}
{{- $v := .root.Values -}}
{{- if not (and (include "syncline.isSqlite" .root) (eq .component "hub")) }}
# Nothing in it outlives the pod: the data is in the store.
- name: data
  emptyDir: {sizeLimit: 64Mi}
{{- end }}
{{- if $v.configFile }}
- name: file
  configMap: {name: {{ include "syncline.fullname" .root }}-file, defaultMode: 0440}
{{- end }}
{{- if and $v.tls.existingSecret (eq .component "hub") }}
- name: tls
  secret: {secretName: {{ $v.tls.existingSecret }}, defaultMode: 0440}
{{- end }}
{{- with $v.store.caSecret }}
- name: store-ca
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with $v.nats.tls.existingSecret }}
- name: nats-tls
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- if eq $v.nats.auth.kind "credentials" }}
- name: nats
  secret: {secretName: {{ $v.nats.auth.existingSecret }}, defaultMode: 0440}
{{- end }}
{{- with $v.pod.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
