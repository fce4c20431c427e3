{{- define "actogram.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "actogram.labels" -}}
app.kubernetes.io/name: actogram
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "actogram.selector" -}}
app.kubernetes.io/name: actogram
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "actogram.image" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}

{{- define "actogram.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "actogram.name" .) -}}
{{- end -}}

{{- define "actogram.claim" -}}
{{- .Values.home.existingClaim | default (printf "%s-home" (include "actogram.name" .)) -}}
{{- end -}}

{{- define "actogram.pod" -}}
serviceAccountName: {{ include "actogram.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "actogram.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
{{- end -}}

{{- define "actogram.mounts" -}}
volumeMounts:
  - {name: home, mountPath: /data}
  - {name: ray, mountPath: /tmp/ray}
  - {name: shm, mountPath: /dev/shm}
{{- end -}}

{{- define "actogram.volumes" -}}
volumes:
  - name: home
    persistentVolumeClaim: {claimName: {{ include "actogram.claim" . }}}
  - name: ray
    emptyDir: {}
  - name: shm
    emptyDir: {medium: Memory, sizeLimit: 512Mi}
{{- end -}}

{{/* What Ray reads in every container. A node that falls silent is given up after about four seconds. */}}
{{- define "actogram.rayEnvironment" -}}
- {name: RAY_USAGE_STATS_ENABLED, value: "0"}
- {name: RAY_AUTH_MODE, value: token}
- name: RAY_AUTH_TOKEN
  valueFrom: {secretKeyRef: {name: {{ .Values.secretName }}, key: RAY_AUTH_TOKEN}}
- {name: RAY_health_check_initial_delay_ms, value: "2000"}
- {name: RAY_health_check_period_ms, value: "500"}
- {name: RAY_health_check_timeout_ms, value: "1000"}
- {name: RAY_health_check_failure_threshold, value: "3"}
{{- end -}}

{{/* What the bucket needs, without the other secrets. */}}
{{- define "actogram.s3Environment" -}}
{{- range list "AWS_ENDPOINT_URL" "AWS_REGION" "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- name: {{ . }}
  valueFrom: {secretKeyRef: {name: {{ $.Values.secretName }}, key: {{ . }}, optional: true}}
{{- end }}
{{- end -}}
