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

{{/* The full name with a part's name behind it: (list $ "archive"). */}}
{{- define "dailies.partName" -}}
{{- printf "%s-%s" (include "dailies.fullname" (index . 0) | trunc (sub 62 (len (index . 1)) | int) | trimSuffix "-") (index . 1) -}}
{{- end -}}

{{- define "dailies.cronJobName" -}}
{{- printf "%s-%s" (include "dailies.fullname" (index . 0)) (index . 1) -}}
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

{{/* Labels of the pods of Dailies itself: (list $ "worker"). Those of other programs have dailies.labels alone. */}}
{{- define "dailies.podLabels" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.podLabels }}
{{- toYaml . }}
{{ end }}
{{- if $root.Values.workloadIdentity.clientId -}}
azure.workload.identity/use: "true"
{{ end }}
{{- include "dailies.labels" $root }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* What Prometheus knows a release by; `job` comes from the label that the monitors name as jobLabel. */}}
{{- define "dailies.series" -}}
{{- printf "namespace=%q,job=%q" .Release.Namespace .Release.Name -}}
{{- end -}}
