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
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "dailies.container" -}}
image: {{ printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "dailies.env" -}}
- name: DAILIES_CONFIG
  value: /etc/dailies/dailies.yaml
{{- range $variable, $secret := .Values.secretEnv }}
- name: {{ $variable | quote }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret.name | quote }}
      key: {{ $secret.key | quote }}
{{- end }}
{{- end -}}

{{- define "dailies.volumeMounts" -}}
- name: config
  mountPath: /etc/dailies
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- end -}}

{{- define "dailies.volumes" -}}
- name: config
  configMap:
    name: {{ include "dailies.fullname" . | quote }}
- name: tmp
  emptyDir:
    sizeLimit: 256Mi
{{- end -}}

{{/*
Seconds that a worker may take from SIGTERM until no create is under way: its completion wait, as the worker itself
reckons it. A deployment's create_timeout_s is 60 where it is not given.
*/}}
{{- define "dailies.drainSeconds" -}}
{{- $slowest := 0.0 -}}
{{- range .Values.config.deployments -}}
{{- $slowest = maxf $slowest (.create_timeout_s | default 60) -}}
{{- end -}}
{{- addf (mulf 2 $slowest) 60 | ceil | int -}}
{{- end -}}

{{- define "dailies.graceSeconds" -}}
{{- .Values.worker.terminationGracePeriodSeconds | default (add (include "dailies.drainSeconds" .) 60) | int -}}
{{- end -}}

{{- define "dailies.cronJobName" -}}
{{- printf "%s-%s" (include "dailies.fullname" (index . 0)) (index . 1) -}}
{{- end -}}
