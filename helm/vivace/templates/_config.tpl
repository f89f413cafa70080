{{/* The settings of all processes, as one YAML document: what the chart knows, and `config` over it. */}}
{{- define "vivace.config" -}}
{{- if not .Values.storage.s3.bucket -}}
{{- fail "storage.s3.bucket: name the bucket that holds the traces" -}}
{{- end -}}
{{- $own := fromYaml (include "vivace.ownConfig" .) -}}
{{- toYaml (mergeOverwrite $own (deepCopy .Values.config)) -}}
{{- end -}}

{{- define "vivace.ownConfig" -}}
{{- $tls := dict "cert_file" "/etc/vivace-tls/tls.crt" "key_file" "/etc/vivace-tls/tls.key" -}}
multitenancy_enabled: {{ .Values.multitenancy }}
shutdown_delay: {{ .Values.shutdownDelaySeconds }}s
server:
  http_listen_address: 0.0.0.0
  http_listen_port: 3200
  log_format: json
  {{- if eq .Values.mode "distributed" }}
  grpc_listen_address: 0.0.0.0
  grpc_listen_port: 9095
  {{- end }}
  {{- if .Values.tls.existingSecret }}
  tls: {{ toJson $tls }}
  {{- end }}
distributor:
  receivers:
    otlp:
      protocols:
        grpc:
          endpoint: 0.0.0.0:4317
          {{- if .Values.tls.existingSecret }}
          tls: {{ toJson $tls }}
          {{- end }}
        http:
          endpoint: 0.0.0.0:4318
          {{- if .Values.tls.existingSecret }}
          tls: {{ toJson $tls }}
          {{- end }}
{{- if eq .Values.mode "distributed" }}
ingester_client:
  addresses:
    - {{ include "vivace.members" (dict "root" . "target" "ingester") }}
querier_client:
  addresses:
    - {{ include "vivace.members" (dict "root" . "target" "querier") }}
{{- end }}
storage:
  trace:
    backend: s3
    s3:
      {{- with .Values.storage.s3 }}
      bucket: {{ .bucket | quote }}
      {{- if .prefix }}
      prefix: {{ .prefix | quote }}
      {{- end }}
      {{- if .endpoint }}
      endpoint: {{ .endpoint | quote }}
      {{- end }}
      {{- if .region }}
      region: {{ .region | quote }}
      {{- end }}
      forcepathstyle: {{ .forcePathStyle }}
      {{- end }}
ingester:
  wal:
    # Nothing on a disk has to survive.
    backend: bucket
{{- $reader := index .Values (ternary "single" "querier" (eq .Values.mode "single")) }}
{{- if $reader.diskCache.enabled }}
querier:
  disk_cache:
    # Only processes that read blocks use it.
    path: /var/cache/vivace
    max_bytes: {{ $reader.diskCache.sizeMiB }}MiB
{{- end }}
{{- if .Values.overrides }}
overrides:
  per_tenant_override_config: /etc/vivace-overrides/overrides.yaml
{{- end }}
{{- end -}}
