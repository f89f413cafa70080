{{/* The pod of a component: called with root, target, values (those of the component), otlp, grpc and store. */}}
{{- define "vivace.pod" -}}
{{- $root := .root -}}
{{- $values := .values -}}
{{- $scheme := ternary "HTTPS" "HTTP" (ne $root.Values.tls.existingSecret "") -}}
metadata:
  labels:
    {{- include "vivace.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .target }}
    {{- with $root.Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Other settings, another pod. Those of tenants are not in it: they are read again while it runs.
    checksum/config: {{ include "vivace.config" $root | sha256sum }}
    {{- with $root.Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "vivace.serviceAccountName" $root }}
  automountServiceAccountToken: {{ $root.Values.serviceAccount.automountToken }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
  {{- with $root.Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: vivace
      image: {{ include "vivace.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [--config, /etc/vivace/vivace.yaml, --target, {{ .target }}]
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      env:
        # What the log of a process in the bucket is known by: no two at once, the same after a restart in place.
        - name: VIVACE_INGESTER_INSTANCE_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        {{- with $root.Values.storage.s3 }}
        {{- if and .existingSecret $.store }}
        - name: AWS_ACCESS_KEY_ID
          valueFrom:
            secretKeyRef:
              name: {{ .existingSecret }}
              key: {{ .accessKeyIdKey }}
        - name: AWS_SECRET_ACCESS_KEY
          valueFrom:
            secretKeyRef:
              name: {{ .existingSecret }}
              key: {{ .secretAccessKeyKey }}
        {{- end }}
        {{- end }}
        {{- with concat $root.Values.extraEnv $values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - name: http
          containerPort: 3200
        {{- if .grpc }}
        - name: grpc
          containerPort: 9095
        {{- end }}
        {{- if .otlp }}
        - name: otlp-grpc
          containerPort: 4317
        - name: otlp-http
          containerPort: 4318
        {{- end }}
      # Up to five minutes for a start: the store is probed, and on a bad day it is slow.
      startupProbe:
        httpGet: { path: /ready, port: http, scheme: {{ $scheme }} }
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 150
      readinessProbe:
        httpGet: { path: /ready, port: http, scheme: {{ $scheme }} }
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 3
      # Whether the main thread still answers; that it is not ready is no reason to start it again.
      livenessProbe:
        httpGet: { path: /status/version, port: http, scheme: {{ $scheme }} }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/vivace
          readOnly: true
        {{- if $root.Values.overrides }}
        - name: overrides
          mountPath: /etc/vivace-overrides
          readOnly: true
        {{- end }}
        {{- if $root.Values.tls.existingSecret }}
        - name: tls
          mountPath: /etc/vivace-tls
          readOnly: true
        {{- end }}
        - name: tmp
          mountPath: /tmp
        {{- if ($values.diskCache).enabled }}
        - name: disk-cache
          mountPath: /var/cache/vivace
        {{- end }}
        {{- with $root.Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "vivace.fullname" $root }}-config
    {{- if $root.Values.overrides }}
    - name: overrides
      configMap:
        name: {{ include "vivace.fullname" $root }}-overrides
    {{- end }}
    {{- if $root.Values.tls.existingSecret }}
    - name: tls
      secret:
        secretName: {{ $root.Values.tls.existingSecret }}
        defaultMode: 0440
    {{- end }}
    # The root is read-only; nothing here has to survive.
    - name: tmp
      emptyDir:
        sizeLimit: 256Mi
    {{- if ($values.diskCache).enabled }}
    # Directories and a file that is being written come on top; above the limit the pod would be evicted.
    - name: disk-cache
      emptyDir:
        sizeLimit: {{ add $values.diskCache.sizeMiB (div $values.diskCache.sizeMiB 8) 64 }}Mi
    {{- end }}
    {{- with $root.Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if $root.Values.topologySpread.enabled }}
  topologySpreadConstraints:
    {{- range $key := $root.Values.topologySpread.keys }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: {{ $root.Values.topologySpread.whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- include "vivace.selector" $root | nindent 10 }}
          app.kubernetes.io/component: {{ $.target }}
    {{- end }}
  {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
