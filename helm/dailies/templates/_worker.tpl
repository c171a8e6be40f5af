{{/*
A Deployment of workers: (dict "root" $ "component" "worker" "name" NAME "only" STEPS "values" .Values.worker
"grace" SECONDS "scaled" BOOL). `only` empty is all steps.
*/}}
{{- define "dailies.workers" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name | quote }}
  labels:
    {{- include "dailies.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  {{- if not .scaled }}
  replicas: {{ .values.replicas | int }}
  {{- end }}
  revisionHistoryLimit: 5
  # A new worker has to be ready before an old one is asked to end: settings that cannot work replace nobody.
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  selector:
    matchLabels:
      {{- include "dailies.selector" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
  template:
    metadata:
      labels:
        {{- include "dailies.podLabels" (list .root .component) | nindent 8 }}
      annotations:
        kubectl.kubernetes.io/default-container: worker
        {{- include "dailies.podAnnotations" .root | nindent 8 }}
    spec:
      {{- include "dailies.pod" .root | nindent 6 }}
      terminationGracePeriodSeconds: {{ .grace }}
      {{- with include "dailies.spread" . }}
      {{- . | nindent 6 }}
      {{- end }}
      containers:
        - name: worker
          {{- include "dailies.container" .root | nindent 10 }}
          command: [dailies, worker{{ with .only }}, --only, {{ . | quote }}{{ end }}]
          ports:
            - name: monitor
              containerPort: 9464
              protocol: TCP
          env:
            {{- include "dailies.env" .root | nindent 12 }}
            - name: DAILIES_MONITOR__HOST
              value: "0.0.0.0"
            - name: DAILIES_MONITOR__PORT
              value: "9464"
          # It has read its settings and works; without Redis it waits, and is not ready.
          startupProbe:
            httpGet: {path: /startupz, port: monitor}
            periodSeconds: 2
            timeoutSeconds: 5
            failureThreshold: 60
          # Redis answers, and its loops are alive.
          readinessProbe:
            httpGet: {path: /readyz, port: monitor}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          # Its event loop turns. Whether Redis answers is no reason to start it again.
          livenessProbe:
            httpGet: {path: /livez, port: monitor}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          volumeMounts:
            {{- include "dailies.volumeMounts" .root | nindent 12 }}
      volumes:
        {{- include "dailies.volumes" .root | nindent 8 }}
{{- end -}}

{{/* Workers of a kind keep apart, over nodes and zones; of one version, so that an update does not look crowded. */}}
{{- define "dailies.spread" -}}
{{- $spread := .root.Values.spread -}}
{{- if or $spread.nodes $spread.zones -}}
topologySpreadConstraints:
  {{- range $key, $when := dict "kubernetes.io/hostname" $spread.nodes "topology.kubernetes.io/zone" $spread.zones }}
  {{- if $when }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $when }}
    labelSelector:
      matchLabels:
        {{- include "dailies.selector" $.root | nindent 8 }}
        app.kubernetes.io/component: {{ $.component }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
  {{- end }}
{{- end -}}
{{- end -}}
