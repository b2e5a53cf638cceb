package helm

import (
	"fmt"
	"strings"
	"testing"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	psaapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

// scheme knows every kind that the chart makes, its own ones and those of other projects, by the Go types of their APIs.
func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, autoscalingv2.AddToScheme, networkingv1.AddToScheme,
		policyv1.AddToScheme, gateway.Install, certmanager.AddToScheme, monitoring.AddToScheme,
	} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// decoded reads manifests strictly: a field that the API does not have, or has twice, is an error.
func decoded(t *testing.T, manifests string) (all []runtime.Object) {
	t.Helper()
	s := scheme(t)
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, s, s, json.SerializerOptions{Yaml: true, Strict: true})
	for doc := range strings.SplitSeq(manifests, "\n---\n") {
		if strings.TrimSpace(strings.TrimPrefix(doc, "---")) == "" {
			continue
		}
		o, _, err := strict.Decode([]byte(doc), nil, nil)
		if err != nil {
			t.Errorf("%v\n%s", err, doc)
			continue
		}
		all = append(all, o)
	}
	return all
}

func TestManifestsAreWhatTheAPIsTake(t *testing.T) {
	seen := map[string]bool{}
	for name := range ciFiles(t) {
		out, stderr, err := helm("-f", name)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, stderr)
		}
		for _, o := range decoded(t, out) {
			kind := o.GetObjectKind().GroupVersionKind()
			seen[kind.Kind] = true
			// What only a server checks: values that have to be there.
			switch o := o.(type) {
			case *gateway.HTTPRoute:
				if len(o.Spec.ParentRefs) == 0 || o.Spec.Rules[0].BackendRefs[0].Port == nil {
					t.Errorf("%s: a route without a parent or without a port: %+v", name, o.Spec)
				}
			case *certmanager.Certificate:
				if o.Spec.SecretName == "" || len(o.Spec.DNSNames) == 0 || o.Spec.IssuerRef.Name == "" {
					t.Errorf("%s: a certificate without a secret, a name or an issuer: %+v", name, o.Spec)
				}
			case *monitoring.ServiceMonitor:
				if len(o.Spec.Endpoints) != 1 || len(o.Spec.Selector.MatchLabels) == 0 {
					t.Errorf("%s: %+v", name, o.Spec)
				}
			}
		}
	}
	for _, kind := range kinds {
		if !seen[kind] {
			t.Errorf("no file in ci/ makes a %s", kind)
		}
	}
}

// pods are the pod templates of some manifests, by who makes them.
func pods(objects []runtime.Object) map[string]*corev1.PodTemplateSpec {
	all := map[string]*corev1.PodTemplateSpec{}
	for _, o := range objects {
		switch o := o.(type) {
		case *appsv1.StatefulSet:
			all["StatefulSet "+o.Name] = &o.Spec.Template
		case *appsv1.Deployment:
			all["Deployment "+o.Name] = &o.Spec.Template
		case *batchv1.CronJob:
			all["CronJob "+o.Name] = &o.Spec.JobTemplate.Spec.Template
		case *batchv1.Job:
			all["Job "+o.Name] = &o.Spec.Template
		case *corev1.Pod:
			all["Pod "+o.Name] = &corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}
		}
	}
	return all
}

// TestPodSecurity asks Kubernetes' own admission for the level restricted, as a namespace with that label does.
func TestPodSecurity(t *testing.T) {
	restricted, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}
	f := func(pod *corev1.PodTemplateSpec) (reasons []string) {
		for _, r := range restricted.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
			if !r.Allowed {
				reasons = append(reasons, fmt.Sprint(r.ForbiddenReason, ": ", r.ForbiddenDetail))
			}
		}
		return reasons
	}
	for name := range ciFiles(t) {
		out, _, err := helm("-f", name)
		if err != nil {
			t.Fatal(err)
		}
		for who, pod := range pods(decoded(t, out)) {
			if reasons := f(pod); len(reasons) > 0 {
				t.Errorf("%s: %s is not restricted: %v", name, who, reasons)
			}
			pod.Spec.SecurityContext.RunAsNonRoot = nil // so that the check is one
			for i := range pod.Spec.Containers {
				pod.Spec.Containers[i].SecurityContext.Capabilities = nil
			}
			if len(f(pod)) == 0 {
				t.Errorf("%s: the check lets everything through", name)
			}
		}
	}
}

// TestEveryMountHasItsVolume also reads the other way round: no volume is made for nothing.
func TestEveryMountHasItsVolume(t *testing.T) {
	for name := range ciFiles(t) {
		out, _, err := helm("-f", name)
		if err != nil {
			t.Fatal(err)
		}
		for who, pod := range pods(decoded(t, out)) {
			volumes, mounted := map[string]bool{}, map[string]bool{}
			for _, v := range pod.Spec.Volumes {
				if volumes[v.Name] {
					t.Errorf("%s: %s has two volumes %s", name, who, v.Name)
				}
				volumes[v.Name] = true
			}
			for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
				paths := map[string]bool{}
				for _, m := range c.VolumeMounts {
					if !volumes[m.Name] || paths[m.MountPath] {
						t.Errorf("%s: %s: container %s mounts %s at %s", name, who, c.Name, m.Name, m.MountPath)
					}
					mounted[m.Name], paths[m.MountPath] = true, true
				}
			}
			for v := range volumes {
				if !mounted[v] {
					t.Errorf("%s: %s has a volume %s that nothing mounts", name, who, v)
				}
			}
		}
	}
}
