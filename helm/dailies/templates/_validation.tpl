{{/*
What the schema cannot say, each as a sentence that says what to set, all of them at once. Values that may be secrets
written in the wrong place are not repeated.
*/}}
{{- define "dailies.validate" -}}
{{- $problems := list -}}
{{- range $part := list "Image" "Redis" "Archive" "Deployments" "References" "Secrets" "Pods" "Schedules" "Network" "Monitoring" -}}
{{- range splitList "\n" (include (printf "dailies.validate%s" $part) $) -}}
{{- with trim . -}}{{- $problems = append $problems . -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if $problems -}}
{{- fail (printf "\n\n%s\n" (join "\n" $problems)) -}}
{{- end -}}
{{- end -}}

{{- define "dailies.validateImage" -}}
{{- if not .Values.image.repository }}
Set image.repository to where your image is, for example registry.example.com/dailies.
{{- end }}
{{- end -}}

{{- define "dailies.validateRedis" -}}
{{- $redis := .Values.config.redis | default dict -}}
{{- $url := default "" $redis.url -}}
{{- $given := hasKey .Values.secretEnv "DAILIES_REDIS__URL" -}}
{{- if .Values.redis.enabled }}
{{- if or $url $given $redis.auth }}
Leave config.redis.url, config.redis.auth and secretEnv.DAILIES_REDIS__URL out, or set redis.enabled to false: with it the pods use the chart's own Redis.
{{- end }}
{{- if not .Values.redis.password.name }}
Set redis.password.name to a Secret that holds a password, for example of: kubectl create secret generic redis --from-literal=password=$(openssl rand -hex 24)
{{- end }}
{{- else if regexMatch "^[a-z]+://[^/]*:[^/]*@|[?&]password=" $url }}
Move the URL with its password from config.redis.url into a Secret, and name that by secretEnv.DAILIES_REDIS__URL; or leave the password out, and name its variable by config.redis.auth.password_env: config is readable by everybody who may read ConfigMaps.
{{- else if not (or $url $given) }}
Set config.redis.url, for example redis://redis:6379/0; or, where the URL holds a password, give it by secretEnv.DAILIES_REDIS__URL. Pods cannot share an embedded Redis.
{{- end }}
{{- end -}}

{{- define "dailies.validateArchive" -}}
{{- $archive := .Values.config.archive | default dict -}}
{{- $url := default "" $archive.url -}}
{{- if not (or (regexMatch "^https?://" $url) (include "dailies.mounted" (list $ $url))) }}
Set config.archive.url to a container, for example https://ACCOUNT.blob.core.windows.net/CONTAINER: files in a pod are lost with it. A directory has to lie in one of extraVolumeMounts that all workers share.
{{- end }}
{{- end -}}

{{- define "dailies.validateDeployments" -}}
{{- if not .Values.config.deployments }}
Set config.deployments to at least one deployment, with name, endpoint, model and auth.
{{- end }}
{{- end -}}

{{/* Variables and files that the settings name have to be there: their keys end in _env and _file. */}}
{{- define "dailies.validateReferences" -}}
{{- include "dailies.references" (list $ "config" .Values.config) }}
{{- end -}}

{{- define "dailies.references" -}}
{{- $root := index . 0 -}}
{{- $path := index . 1 -}}
{{- $value := index . 2 -}}
{{- if kindIs "slice" $value }}
{{- range $index, $inner := $value }}
{{- include "dailies.references" (list $root (printf "%s[%d]" $path $index) $inner) }}
{{- end }}
{{- else if kindIs "map" $value }}
{{- range $key, $inner := $value }}
{{- $here := printf "%s.%s" $path $key }}
{{- if not (kindIs "string" $inner) }}
{{- include "dailies.references" (list $root $here $inner) }}
{{- else if and (hasSuffix "_env" $key) (not (include "dailies.hasVariable" (list $root $inner))) }}
{{ printf "Add the variable that %s names to secretEnv, with the Secret and key that hold it." $here }}
{{- else if and (hasSuffix "_file" $key) (not (include "dailies.mounted" (list $root $inner))) }}
{{ printf "Mount a Secret by extraVolumes and extraVolumeMounts where %s says that the file is." $here }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "dailies.validateSecrets" -}}
{{- range $variable, $secret := .Values.secretEnv }}
{{- if and (hasPrefix "DAILIES_" (upper $variable)) (ne $variable "DAILIES_REDIS__URL") }}
{{ printf "Move secretEnv.%s into config: of the settings only DAILIES_REDIS__URL may hold a secret." $variable }}
{{- end }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if hasPrefix "DAILIES_" (upper .name) }}
{{ printf "Move extraEnv's %s into config, or a secret into secretEnv: settings have one place." .name }}
{{- end }}
{{- end }}
{{- if .Values.config.monitor }}
Leave config.monitor out: probes and metrics use port 9464 of every worker, which the chart sets.
{{- end }}
{{- if and .Values.caBundle.configMap .Values.caBundle.secret }}
Set caBundle.configMap or caBundle.secret, not both.
{{- end }}
{{- end -}}

{{- define "dailies.validatePods" -}}
{{- $drain := include "dailies.drainSeconds" . | int }}
{{- if le (include "dailies.graceSeconds" . | int) $drain }}
{{ printf "Set worker.terminationGracePeriodSeconds above %d, or to null: a create may take that long to end after SIGTERM, and one that is cut may be paid for and lost." $drain }}
{{- end }}
{{- with .Values.scaling }}
{{- if gt (int .minReplicas) (int .maxReplicas) }}
Set scaling.minReplicas to at most scaling.maxReplicas.
{{- end }}
{{- if and (eq .by "keda") (not .prometheus) }}
Set scaling.prometheus to the address of the Prometheus that scrapes the workers, for example http://prometheus.monitoring:9090.
{{- end }}
{{- if and .by (not (or $.Values.monitoring.podMonitor.enabled $.Values.monitoring.serviceMonitor.enabled $.Values.podAnnotations)) }}
Set monitoring.podMonitor.enabled to true, or name your scraper's annotations in podAnnotations: scaling needs the workers' metrics.
{{- end }}
{{- end }}
{{- end -}}

{{- define "dailies.validateSchedules" -}}
{{- range $name, $schedule := .Values.schedules }}
{{- $full := include "dailies.cronJobName" (list $ $name) }}
{{- if gt (len $full) 52 }}
{{ printf "Shorten the schedule's name %s, or set fullnameOverride: the CronJob's name %s has more than 52 characters." $name $full }}
{{- end }}
{{- with $schedule.manifest }}
{{- if and (not .configMap) (not .claim) (not (include "dailies.mounted" (list $ .path))) }}
{{ printf "Set schedules.%s.manifest to {configMap, key} or {claim, path}, or mount its path by extraVolumes and extraVolumeMounts." $name }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "dailies.validateMonitoring" -}}
{{- with .Values.monitoring }}
{{- if and .podMonitor.enabled .serviceMonitor.enabled }}
Set monitoring.podMonitor.enabled or monitoring.serviceMonitor.enabled, not both: each worker would be counted twice.
{{- end }}
{{- if and .alerts.enabled (not .alerts.runbookUrl) }}
Set monitoring.alerts.runbookUrl to where your people read docs/runbook.md: an alert at night leads there.
{{- end }}
{{- end }}
{{- end -}}

{{/* Whether a path lies in a volume of extraVolumeMounts: (list $ PATH). */}}
{{- define "dailies.mounted" -}}
{{- $path := index . 1 | default "" | trimPrefix "file://" -}}
{{- range (index . 0).Values.extraVolumeMounts -}}
{{- if hasPrefix (printf "%s/" (trimSuffix "/" .mountPath)) (printf "%s/" $path) -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether the pods have a variable: (list $ NAME). */}}
{{- define "dailies.hasVariable" -}}
{{- $name := index . 1 -}}
{{- if hasKey (index . 0).Values.secretEnv $name -}}yes{{- end -}}
{{- range (index . 0).Values.extraEnv -}}{{- if eq .name $name -}}yes{{- end -}}{{- end -}}
{{- end -}}
