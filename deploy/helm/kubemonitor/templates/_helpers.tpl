{{/* Labels of an object: include "kubemonitor.labels" (list . "collector") */}}
{{- define "kubemonitor.labels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: kubemonitor
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_") }}
{{- end }}

{{/* Labels of a pod. Without versions: an upgrade of the chart alone restarts nothing. */}}
{{- define "kubemonitor.podLabels" -}}
app: {{ index . 0 }}
app.kubernetes.io/name: kubemonitor
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* The name of an account: include "kubemonitor.account" (list .Values.api.serviceAccount "monitor-api") */}}
{{- define "kubemonitor.account" -}}
{{- $account := index . 0 -}}
{{- $account.name | default (ternary (index . 1) "default" $account.create) -}}
{{- end }}

{{/* The name of the secret with the token. */}}
{{- define "kubemonitor.tokenSecret" -}}
{{- if .Values.push.token.existingSecret -}}
{{- .Values.push.token.existingSecret -}}
{{- else if .Values.push.token.value -}}
monitor-api-token
{{- else -}}
{{- fail "push.token.enabled needs push.token.existingSecret or push.token.value" -}}
{{- end -}}
{{- end }}
