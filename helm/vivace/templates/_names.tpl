{{- define "vivace.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters: the longest suffix and the number of a pod still fit into a label. */}}
{{- define "vivace.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "vivace.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "vivace.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Which pods: these never change over upgrades. */}}
{{- define "vivace.selector" -}}
app.kubernetes.io/name: {{ include "vivace.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "vivace.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "vivace.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "vivace.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{- if eq $tag "latest" -}}
{{- fail "image.tag: `latest` is not one version: name it, or give image.digest" -}}
{{- end -}}
{{- $image := printf "%s:%s" .Values.image.repository $tag -}}
{{- if .Values.image.registry -}}{{- $image = printf "%s/%s" .Values.image.registry $image -}}{{- end -}}
{{- if .Values.image.digest -}}{{- $image = printf "%s@%s" $image .Values.image.digest -}}{{- end -}}
{{- $image -}}
{{- end -}}

{{/*
The services of the mode: name of the target, key of its values, kind of workload, whether senders of spans come to it,
whether other processes call it, and whether it reads and writes the bucket. Everything that is made once a service goes over this list.
*/}}
{{- define "vivace.components" -}}
{{- if eq .Values.mode "single" -}}
- { target: all, values: single, kind: StatefulSet, otlp: true, grpc: false, store: true }
{{- else -}}
- { target: distributor, values: distributor, kind: Deployment, otlp: true, grpc: false, store: false }
- { target: ingester, values: ingester, kind: StatefulSet, otlp: false, grpc: true, store: true }
- { target: querier, values: querier, kind: Deployment, otlp: false, grpc: true, store: true }
- { target: query-frontend, values: queryFrontend, kind: Deployment, otlp: false, grpc: false, store: false }
- { target: compactor, values: compactor, kind: Deployment, otlp: false, grpc: false, store: true }
{{- end -}}
{{- end -}}

{{/* By DNS, all pods of a service that other processes call: called with root and target. */}}
{{- define "vivace.members" -}}
dns+srv://_grpc._tcp.{{ include "vivace.headless" . }}.{{ .root.Release.Namespace }}.svc.{{ .root.Values.clusterDomain }}
{{- end -}}

{{- define "vivace.headless" -}}
{{- printf "%s-%s" (include "vivace.fullname" .root) .target -}}
{{- end -}}
