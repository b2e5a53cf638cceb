package helm

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// asInKubernetes are the parts of values that stand in a manifest as they are: Kubernetes itself says what is in them.
var asInKubernetes = []string{
	"#/properties/global", "#/properties/networkPolicy/properties/ingressFrom/items", "#/properties/networkPolicy/properties/metricsFrom/items",
	"#/properties/networkPolicy/properties/storesTo/items", "#/properties/networkPolicy/properties/apiFrom/items", "#/properties/networkPolicy/properties/tracesTo/items",
	"#/properties/networkPolicy/properties/extraEgress/items",
	"#/definitions/resources/properties/claims/items", "#/properties/affinity/properties/nodeAffinity", "#/properties/affinity/properties/podAffinity",
	"#/properties/affinity/properties/podAntiAffinity", "#/properties/topologySpreadConstraints/items/properties/labelSelector",
	"#/definitions/extraEnv/items/properties/valueFrom", "#/definitions/extraVolumes/items", "#/properties/autoscaling/properties/metrics/items",
	"#/properties/autoscaling/properties/behavior/properties/scaleUp", "#/properties/autoscaling/properties/behavior/properties/scaleDown",
}

// TestSchemaKnowsEveryKey: an object that takes any key would take a misspelled one.
func TestSchemaKnowsEveryKey(t *testing.T) {
	data, err := os.ReadFile("postcall/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	var open []string
	var walk func(at string, v any)
	walk = func(at string, v any) {
		m, ok := v.(map[string]any)
		if !ok {
			return
		}
		if _, closed := m["additionalProperties"]; m["type"] == "object" && !closed {
			open = append(open, at)
		}
		for k, v := range m {
			walk(at+"/"+k, v)
		}
	}
	walk("#", root)
	for _, at := range open {
		if !slices.Contains(asInKubernetes, at) {
			t.Errorf("%s takes any key", at)
		}
	}
	for _, at := range asInKubernetes {
		if !slices.Contains(open, at) {
			t.Errorf("%s is no part of the schema", at)
		}
	}
}
