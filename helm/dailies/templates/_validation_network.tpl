{{/* The network policy lets through what the configuration names. */}}
{{- define "dailies.validateNetwork" -}}
{{- $egress := .Values.networkPolicy.egress -}}
{{- if and .Values.networkPolicy.enabled (not $egress.extra) }}
{{- $redis := dig "redis" "url" "" .Values.config }}
{{- if hasPrefix "redis" $redis }}
{{- $default := ternary 26379 6379 (contains "sentinel" $redis) }}
{{- range splitList "," (regexReplaceAll "^[a-z+]+://(?:[^@/]*@)?([^/?]*).*$" $redis "${1}") }}
{{- include "dailies.portAllowed" (list . $default $egress.redis.ports "config.redis.url" "redis") }}
{{- end }}
{{- end }}
{{- $azure := dict "config.archive.url" (dig "archive" "url" "" .Values.config) }}
{{- range $index, $deployment := .Values.config.deployments }}
{{- if not (and $.Values.sandbox.enabled (contains (include "dailies.partName" (list $ "sandbox")) (default "" $deployment.endpoint))) }}
{{- $_ := set $azure (printf "config.deployments[%d].endpoint" $index) (default "" $deployment.endpoint) }}
{{- end }}
{{- end }}
{{- range $path, $url := $azure }}
{{- if regexMatch "^https?://" $url }}
{{- include "dailies.portAllowed" (list (regexReplaceAll "^https?://([^/]*).*$" $url "${1}") (ternary 443 80 (hasPrefix "https" $url)) $egress.azure.ports $path "azure") }}
{{- end }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if and (regexMatch "(?i)^(https?|all)_proxy$" .name) .value }}
{{- $host := regexReplaceAll "^(?:[a-z0-9+]+://)?(?:[^@/]*@)?([^/]*).*$" .value "${1}" }}
{{- $default := ternary 443 80 (hasPrefix "https" .value) }}
{{- include "dailies.portAllowed" (list $host $default $egress.azure.ports (printf "extraEnv's %s" .name) "azure") }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* (list HOST:PORT DEFAULT-PORT ALLOWED-PORTS WHERE-THE-URL-STANDS WHICH-RULE) */}}
{{- define "dailies.portAllowed" -}}
{{- $written := regexFind ":[0-9]+$" (index . 0) -}}
{{- $port := trimPrefix ":" $written | default (index . 1) | int -}}
{{- $allowed := "" -}}
{{- range index . 2 -}}
{{- $range := splitList "-" (. | toString) -}}
{{- if and (le (first $range | int) $port) (ge (last $range | int) $port) -}}{{- $allowed = "yes" -}}{{- end -}}
{{- end -}}
{{- if not $allowed }}
{{ printf "Add %d to networkPolicy.egress.%s.ports, or write a rule in networkPolicy.egress.extra: %s names that port, and the network policy would keep pods from it." $port (index . 4) (index . 3) }}
{{- end -}}
{{- end -}}
