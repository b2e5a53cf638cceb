package elastic

import (
	"bytes"
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
	Settings map[string]any `json:"settings"`
	Mappings map[string]any `json:"mappings"`
}

// defaultLanguage is the one that template.json is written in.
const defaultLanguage = "english"

// meta is what the mapping and both templates say about themselves, under "_meta".
type meta struct {
	Version  int    `json:"template_version"`
	Checksum string `json:"template_checksum"`
	IndexBy  string `json:"index_by,omitempty"` // of the index template: "month" where it puts what it makes behind the alias
	Language string `json:"language,omitempty"` // empty is defaultLanguage
	Synonyms string `json:"synonyms,omitempty"` // checksum of the rules; empty where there are none

	Lifecycle string `json:"lifecycle,omitempty"` // of the templates: the policy that new indices get
}

// parsed is template.json in its own language, without synonyms.
var parsed = sync.OnceValue(func() template { return readTemplate(defaultLanguage, nil) })

// readTemplate returns template.json for a language. Where there are rules, searches look for their words too, except for
// what stands in quotes.
func readTemplate(language string, rules []string) template {
	const analyzer = `"analyzer": "` + defaultLanguage + `"`
	search := ""
	if len(rules) > 0 {
		search = `, "search_analyzer": "` + synonymAnalyzer + `", "search_quote_analyzer": "` + language + `"`
	}
	b := bytes.ReplaceAll(templateJSON, []byte(analyzer), []byte(`"analyzer": "`+language+`"`+search))
	var t template
	if err := json.Unmarshal(b, &t); err != nil {
		panic("elastic: template.json: " + err.Error()) // a test holds that it can't happen
	}
	if len(rules) > 0 {
		merge(t.Settings["analysis"].(map[string]any), synonymAnalysis(language, rules))
	}
	return t
}

// merge puts what is in from into the same places of dst.
func merge(dst, from map[string]any) {
	for k, v := range from {
		inner, isMap := v.(map[string]any)
		if old, both := dst[k].(map[string]any); both && isMap {
			merge(old, inner)
			continue
		}
		dst[k] = v
	}
}

// wantMeta is the state this program expects of what is in the default language and has no synonyms.
var wantMeta = sync.OnceValue(func() meta {
	sum := sha256.Sum256(templateJSON)
	return meta{Version: templateVersion, Checksum: hex.EncodeToString(sum[:8])}
})

// fieldTypes holds the type of every field of the mapping by its full name, sub-fields included.
var fieldTypes = sync.OnceValue(func() map[string]string {
	types := map[string]string{}
	walkFields(parsed().Mappings, "", func(name, typ string) { types[name] = typ })
	return types
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
