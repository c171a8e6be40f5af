{{/*
What the schema cannot say, each as a sentence that says what to set, all of them at once. Values that may be secrets
written in the wrong place are not repeated.
*/}}
{{- define "dailies.validate" -}}
{{- $problems := list -}}
{{- $given := .Values.secretEnv -}}

{{- if not .Values.image.repository -}}
{{- $problems = append $problems "Set image.repository to where your image is, for example registry.example.com/dailies." -}}
{{- end -}}

{{- $redis := dig "redis" "url" "" .Values.config -}}
{{- if not (or $redis (hasKey $given "DAILIES_REDIS__URL")) -}}
{{- $problems = append $problems "Set config.redis.url, for example redis://redis:6379/0; or, where the URL holds a password, give it by secretEnv.DAILIES_REDIS__URL. Pods cannot share an embedded Redis." -}}
{{- else if regexMatch "^[a-z]+://[^/]*:[^/]*@|[?&]password=" $redis -}}
{{- $problems = append $problems "Move the URL with its password from config.redis.url into a Secret, and name that by secretEnv.DAILIES_REDIS__URL: config is readable by everybody who may read ConfigMaps." -}}
{{- end -}}

{{- $archive := .Values.config.archive | default dict -}}
{{- if not (regexMatch "^https?://" (default "" $archive.url)) -}}
{{- $problems = append $problems "Set config.archive.url to a container, for example https://ACCOUNT.blob.core.windows.net/CONTAINER: files in a pod are lost with it." -}}
{{- end -}}
{{- range $way := list "connection_string_env" "sas_env" -}}
{{- $variable := dig "auth" $way "" $archive -}}
{{- if and $variable (not (hasKey $given $variable)) -}}
{{- $problems = append $problems (printf "Add the variable that config.archive.auth.%s names to secretEnv, with the Secret and key that hold it." $way) -}}
{{- end -}}
{{- end -}}

{{- range $index, $deployment := .Values.config.deployments -}}
{{- $variable := dig "auth" "api_key_env" "" $deployment -}}
{{- if and $variable (not (hasKey $given $variable)) -}}
{{- $problems = append $problems (printf "Add the variable that config.deployments[%d].auth.api_key_env names to secretEnv, with the Secret and key that hold it." $index) -}}
{{- end -}}
{{- else -}}
{{- $problems = append $problems "Set config.deployments to at least one deployment, with name, endpoint, model and auth." -}}
{{- end -}}

{{- range $variable, $secret := $given -}}
{{- if and (hasPrefix "DAILIES_" (upper $variable)) (ne $variable "DAILIES_REDIS__URL") -}}
{{- $problems = append $problems (printf "Move secretEnv.%s into config: of the settings only DAILIES_REDIS__URL may hold a secret." $variable) -}}
{{- end -}}
{{- end -}}

{{- $drain := include "dailies.drainSeconds" . | int -}}
{{- if le (include "dailies.graceSeconds" . | int) $drain -}}
{{- $problems = append $problems (printf "Set worker.terminationGracePeriodSeconds above %d, or to null: a create may take that long to end after SIGTERM, and one that is cut may be paid for and lost." $drain) -}}
{{- end -}}

{{- range $name, $schedule := .Values.schedules -}}
{{- $full := include "dailies.cronJobName" (list $ $name) -}}
{{- if gt (len $full) 52 -}}
{{- $problems = append $problems (printf "Shorten the schedule's name %s, or set fullnameOverride: the CronJob's name %s has more than 52 characters." $name $full) -}}
{{- end -}}
{{- end -}}

{{- if $problems -}}
{{- fail (printf "\n\n%s\n" (join "\n" $problems)) -}}
{{- end -}}
{{- end -}}
