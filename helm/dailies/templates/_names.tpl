{{/* Names and labels. */}}

{{- define "dailies.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "dailies.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "dailies.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "dailies.serviceAccountName" -}}
{{- $otherwise := ternary (include "dailies.fullname" .) "default" .Values.serviceAccount.create -}}
{{- default $otherwise .Values.serviceAccount.name -}}
{{- end -}}

{{/* What selects a release's pods; never changes, since a Deployment's selector cannot. */}}
{{- define "dailies.selector" -}}
app.kubernetes.io/name: {{ include "dailies.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "dailies.labels" -}}
{{ include "dailies.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}
