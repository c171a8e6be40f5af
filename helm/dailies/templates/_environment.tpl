{{/* What the program finds around it: its settings, its secrets, its files. */}}

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
{{- if .Values.redis.enabled }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .Values.redis.password.name | quote }}
      key: {{ .Values.redis.password.key | quote }}
- name: DAILIES_REDIS__URL
  value: redis://{{ include "dailies.partName" (list . "redis") }}:6379/0
- name: DAILIES_REDIS__AUTH__PASSWORD_ENV
  value: REDIS_PASSWORD
{{- end }}
{{- if include "dailies.hasCaBundle" . }}
{{- /* httpx, aiohttp and redis-py read the first, msal the second. */}}
{{- range list "SSL_CERT_FILE" "REQUESTS_CA_BUNDLE" }}
- name: {{ . }}
  value: {{ printf "/etc/dailies-ca/%s" $.Values.caBundle.key | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "dailies.hasCaBundle" -}}
{{- with .Values.caBundle -}}
{{- if or .configMap .secret -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{- define "dailies.volumeMounts" -}}
- name: config
  mountPath: /etc/dailies
  readOnly: true
- name: tmp
  mountPath: /tmp
- name: work
  mountPath: /work
{{- if include "dailies.hasCaBundle" . }}
- name: ca
  mountPath: /etc/dailies-ca
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "dailies.volumes" -}}
- name: config
  configMap:
    name: {{ include "dailies.fullname" . | quote }}
- name: tmp
  emptyDir:
    sizeLimit: 256Mi
{{- /* The working directory and state_dir: for rehearsals with --sandbox inside a pod; the ledger is in Redis. */}}
- name: work
  emptyDir:
    sizeLimit: 1Gi
{{- if include "dailies.hasCaBundle" . }}
- name: ca
  {{- if .Values.caBundle.configMap }}
  configMap:
    name: {{ .Values.caBundle.configMap | quote }}
  {{- else }}
  secret:
    secretName: {{ .Values.caBundle.secret | quote }}
  {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
