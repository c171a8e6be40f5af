{{/* What every pod of the chart has in common, within the Pod Security Standard `restricted`. */}}

{{- define "dailies.pod" -}}
serviceAccountName: {{ include "dailies.serviceAccountName" . | quote }}
automountServiceAccountToken: false
{{- /* Services of the namespace would fill the environment, from which settings are read. */}}
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "dailies.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "dailies.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "dailies.container" -}}
image: {{ include "dailies.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{ include "dailies.containerSecurity" . }}
{{- end -}}

{{- define "dailies.podAnnotations" -}}
{{- with .Values.podAnnotations }}
{{- toYaml . }}
{{ end -}}
checksum/config: {{ .Values.config | toYaml | sha256sum | quote }}
{{- end -}}
