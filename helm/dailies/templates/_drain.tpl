{{/* How long pods may take to end: create_timeout_s < completion wait < grace period. */}}

{{/*
Seconds that a worker may take from SIGTERM until no create is under way: its completion wait, as the worker itself
reckons it. A deployment's create_timeout_s is 60 where it is not given.
*/}}
{{- define "dailies.drainSeconds" -}}
{{- $slowest := 0.0 -}}
{{- range .Values.config.deployments -}}
{{- $slowest = maxf $slowest (.create_timeout_s | default 60) -}}
{{- end -}}
{{- addf (mulf 2 $slowest) 75 | ceil | int -}}
{{- end -}}

{{- define "dailies.graceSeconds" -}}
{{- .Values.worker.terminationGracePeriodSeconds | default (add (include "dailies.drainSeconds" .) 60) | int -}}
{{- end -}}
