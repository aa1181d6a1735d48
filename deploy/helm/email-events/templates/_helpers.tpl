{{- define "email-events.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Of all objects: a dict with root and, where it is of one service, component. */ -}}
{{- define "email-events.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "email-events.labels" -}}
{{ include "email-events.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "email-events.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "email-events.fullname" .) .Values.serviceAccount.name }}
{{- else }}{{ default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "email-events.groupPrefix" -}}
{{- dig "kafka" "groupPrefix" "email-events" .Values.config }}
{{- end }}

{{- define "email-events.image" -}}
{{- $image := mergeOverwrite (deepCopy .root.Values.image) (default dict .own) }}
{{- if $image.digest }}{{ printf "%s@%s" $image.repository $image.digest }}
{{- else }}{{ printf "%s:%s" $image.repository (default .root.Chart.AppVersion $image.tag) }}
{{- end }}
{{- end }}

{{- /* The services of this configuration, each with its values and its section, as JSON: {"services": […]}. */ -}}
{{- define "email-events.services" -}}
{{- $root := . }}
{{- $found := list }}
{{- range (.Files.Get "files/services.json" | fromJson).services }}
{{- $section := $root.Values.config }}
{{- range .section }}{{- $section = get (default dict $section) . }}{{- end }}
{{- if or (not .optional) $section (kindIs "map" $section) }}
{{- $values := mergeOverwrite (deepCopy $root.Values.defaults) (default dict (get $root.Values.services .name)) }}
{{- $config := default dict $section }}
{{- $max := int $values.autoscaling.maxReplicas }}
{{- if and .lag (not $max) }}{{- $max = int (dig "topics" .lag.partitions.key .lag.partitions.default $root.Values.config) }}{{- end }}
{{- $more := dict "values" $values "config" $config "fullname" (printf "%s-%s" (include "email-events.fullname" $root) .name) }}
{{- $_ := set $more "adminPort" (default .adminPort $config.adminPort | int) }}
{{- $_ := set $more "maxReplicas" (default 6 $max | int) }}
{{- $found = append $found (merge $more .) }}
{{- end }}
{{- end }}
{{- dict "services" $found | toJson }}
{{- end }}

{{- /* Environment and mounts of the Secrets for: a dict with root, name, and user, the principal. */ -}}
{{- define "email-events.secretEnv" -}}
{{- with .root.Values.kafkaUsers }}
{{- if .enabled }}
{{- $user := printf "%s-%s" (include "email-events.groupPrefix" $.root) $.user }}
- name: EMAIL_EVENTS_KAFKA_SASL_MECHANISM
  value: {{ .mechanism }}
- name: EMAIL_EVENTS_KAFKA_SASL_USERNAME
  value: {{ $user }}
- name: EMAIL_EVENTS_KAFKA_SASL_PASSWORD
  value: file:/etc/email-events/kafka-user/{{ .passwordKey }}
{{- end }}
{{- end }}
{{- end }}

{{- define "email-events.secretMounts" -}}
- name: config
  mountPath: /etc/email-events/pipeline.yaml
  subPath: pipeline.yaml
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- range $i, $secret := .root.Values.secrets }}
{{- if or (not $secret.for) (has $.name $secret.for) }}
- name: secret-{{ $i }}
  mountPath: /etc/email-events/secrets/{{ $secret.existingSecret }}
  readOnly: true
{{- end }}
{{- end }}
{{- if .root.Values.kafkaUsers.enabled }}
- name: kafka-user
  mountPath: /etc/email-events/kafka-user
  readOnly: true
{{- end }}
{{- end }}

{{- define "email-events.secretVolumes" -}}
- name: config
  configMap:
    name: {{ .configMap }}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- range $i, $secret := .root.Values.secrets }}
{{- if or (not $secret.for) (has $.name $secret.for) }}
- name: secret-{{ $i }}
  secret:
    secretName: {{ $secret.existingSecret }}
{{- end }}
{{- end }}
{{- if .root.Values.kafkaUsers.enabled }}
- name: kafka-user
  secret:
    secretName: {{ printf "%s-%s" (include "email-events.groupPrefix" .root) .user }}
{{- end }}
{{- end }}
