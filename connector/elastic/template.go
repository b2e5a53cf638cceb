package elastic

import (
	"crypto/sha256"
	_ "embed" // template.json
	"encoding/hex"
	"encoding/json"
	"sync"
)

// templateVersion rises with every change of template.json. A change may only add: fields of a live index can't change
// their type.
const templateVersion = 1

//go:embed template.json
var templateJSON []byte

type template struct {
	Settings json.RawMessage `json:"settings"`
	Mappings map[string]any  `json:"mappings"`
}

// meta is what the mapping and both templates say about themselves, under "_meta".
type meta struct {
	Version  int    `json:"template_version"`
	Checksum string `json:"template_checksum"`
	IndexBy  string `json:"index_by,omitempty"` // of the index template: "month" where it puts what it makes behind the alias
}

// parsed is template.json with its _meta in the mapping.
var parsed = sync.OnceValue(func() template {
	var t template
	if err := json.Unmarshal(templateJSON, &t); err != nil {
		panic("elastic: template.json: " + err.Error()) // a test holds that it can't happen
	}
	t.Mappings["_meta"] = wantMeta()
	return t
})

// wantMeta is the state this program expects.
var wantMeta = sync.OnceValue(func() meta {
	sum := sha256.Sum256(templateJSON)
	return meta{Version: templateVersion, Checksum: hex.EncodeToString(sum[:8])}
})

// knownFields holds the full name of every field of the mapping, sub-fields included.
var knownFields = sync.OnceValue(func() map[string]bool {
	known := map[string]bool{}
	walkFields(parsed().Mappings, "", func(name, _ string) { known[name] = true })
	return known
})

// walkFields calls f with the full name and type of every field below a mapping.
func walkFields(mapping map[string]any, prefix string, f func(name, typ string)) {
	for _, group := range []string{"properties", "fields"} {
		fields, _ := mapping[group].(map[string]any)
		for name, v := range fields {
			field := v.(map[string]any)
			typ, _ := field["type"].(string)
			f(prefix+name, typ)
			walkFields(field, prefix+name+".", f)
		}
	}
}
