{{- /* The pod of a service: a dict with root and service. */ -}}
{{- define "email-events.pod" -}}
{{- $root := .root }}
{{- $service := .service }}
{{- $values := $service.values }}
{{- $config := $service.config }}
{{- $fullname := include "email-events.fullname" $root }}
{{- $secrets := dict "root" $root "name" $service.name "user" $service.name "configMap" $fullname }}
metadata:
  labels:
    {{- include "email-events.labels" (dict "root" $root "component" $service.name) | nindent 4 }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Another configuration is another pod.
    checksum/config: {{ toJson $root.Values.config | sha256sum }}
    kubectl.kubernetes.io/default-container: {{ $service.name }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "email-events.serviceAccountName" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  securityContext: {{ toYaml $root.Values.podSecurityContext | nindent 4 }}
  {{- /* All services stop within 30 s; the ingress on top of its delay, of its wait for an empty spool, and of one more scrape that sees it empty. */}}
  {{- $waits := add (int (dig "drainDelayMs" 0 $config)) (int (dig "spool" "drainOnStopMs" 0 $config)) }}
  {{- $scrape := ternary 61 0 (gt (int (dig "spool" "drainOnStopMs" 0 $config)) 0) }}
  terminationGracePeriodSeconds: {{ add 30 (div (add $waits 999) 1000) $scrape (int $values.extraGraceSeconds) }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity: {{ toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- if $values.topologySpreadConstraints }}
    {{- toYaml $values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{ include "email-events.selector" (dict "root" $root "component" $service.name) | nindent 10 }}
    {{- end }}
  containers:
    - name: {{ $service.name }}
      image: {{ include "email-events.image" (dict "root" $root "own" $values.image) }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [{{ $service.name }}]
      securityContext: {{ toYaml $root.Values.securityContext | nindent 8 }}
      env:
        - name: EMAIL_EVENTS_ADMIN_HOST
          value: 0.0.0.0
        {{- range $service.http }}
        - name: {{ .hostVariable }}
          value: 0.0.0.0
        {{- end }}
        {{- if and $service.tls $values.tlsSecret }}
        - name: {{ $service.tls.certVariable }}
          value: /etc/email-events/tls/tls.crt
        - name: {{ $service.tls.keyVariable }}
          value: /etc/email-events/tls/tls.key
        {{- end }}
        {{- with $service.disk }}
        - name: {{ .variable }}
          value: /var/lib/email-events/{{ .name }}
        {{- end }}
        {{- include "email-events.secretEnv" $secrets | trim | nindent 8 }}
        {{- with $values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - name: admin
          containerPort: {{ $service.adminPort }}
        {{- range $service.http }}
        - name: http
          containerPort: {{ default .port (get $config .key) | int }}
        {{- end }}
      # Whether the process answers. It starts within seconds; a store that is restored is a matter of readiness.
      startupProbe:
        httpGet: { path: /healthz, port: admin }
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /healthz, port: admin }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /readyz, port: admin }
        periodSeconds: 5
        timeoutSeconds: 7
        failureThreshold: 2
      resources: {{ toYaml $values.resources | nindent 8 }}
      volumeMounts:
        {{- include "email-events.secretMounts" $secrets | nindent 8 }}
        {{- if and $service.tls $values.tlsSecret }}
        - name: tls
          mountPath: /etc/email-events/tls
          readOnly: true
        {{- end }}
        {{- with $service.disk }}
        - name: {{ .name }}
          mountPath: /var/lib/email-events
        {{- end }}
  volumes:
    {{- include "email-events.secretVolumes" $secrets | nindent 4 }}
    {{- if and $service.tls $values.tlsSecret }}
    - name: tls
      secret:
        secretName: {{ $values.tlsSecret }}
    {{- end }}
    {{- if and $service.disk (not $values.storage.enabled) }}
    - name: {{ $service.disk.name }}
      emptyDir:
        sizeLimit: {{ $values.storage.size }}
    {{- end }}
{{- end }}
