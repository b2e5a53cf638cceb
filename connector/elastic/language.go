package elastic

import (
	"cmp"
	"maps"
	"slices"
)

// chain is how a built-in analyzer of Elasticsearch makes words of a text, in parts, so that synonyms can follow on it.
// An empty tokenizer is the standard one. Filters that need settings are those of languageFilter.
type chain struct {
	tokenizer string
	noJoiner  bool // a zero-width non-joiner separates words
	filters   []string
}

// languages has the built-in analyzers that POSTCALL_ELASTICSEARCH_LANGUAGE can name. A test holds each chain to its
// analyzer on the real engine.
var languages = map[string]chain{
	"arabic":     {filters: []string{"lowercase", "decimal_digit", "stop", "arabic_normalization", "stemmer"}},
	"armenian":   stopStem,
	"basque":     stopStem,
	"bengali":    {filters: []string{"lowercase", "decimal_digit", "indic_normalization", "bengali_normalization", "stop", "stemmer"}},
	"brazilian":  stopStem,
	"bulgarian":  stopStem,
	"catalan":    {filters: []string{"elision", "lowercase", "stop", "stemmer"}},
	"cjk":        {filters: []string{"cjk_width", "lowercase", "cjk_bigram", "stop"}},
	"czech":      stopStem,
	"danish":     stopStem,
	"dutch":      {filters: []string{"lowercase", "stop", "override", "stemmer"}},
	"english":    {filters: []string{"possessive", "lowercase", "stop", "stemmer"}},
	"estonian":   stopStem,
	"finnish":    stopStem,
	"french":     {filters: []string{"elision", "lowercase", "stop", "stemmer"}},
	"galician":   stopStem,
	"german":     {filters: []string{"lowercase", "stop", "german_normalization", "stemmer"}},
	"greek":      stopStem,
	"hindi":      {filters: []string{"lowercase", "decimal_digit", "indic_normalization", "hindi_normalization", "stop", "stemmer"}},
	"hungarian":  stopStem,
	"indonesian": stopStem,
	"irish":      {filters: []string{"hyphenation", "elision", "lowercase", "stop", "stemmer"}},
	"italian":    {filters: []string{"elision", "lowercase", "stop", "stemmer"}},
	"latvian":    stopStem,
	"lithuanian": stopStem,
	"norwegian":  stopStem,
	"persian":    {noJoiner: true, filters: []string{"lowercase", "decimal_digit", "arabic_normalization", "persian_normalization", "stop"}},
	"portuguese": stopStem,
	"romanian":   stopStem,
	"russian":    stopStem,
	"serbian":    {filters: []string{"lowercase", "stop", "stemmer", "serbian_normalization"}},
	"sorani":     {filters: []string{"sorani_normalization", "lowercase", "decimal_digit", "stop", "stemmer"}},
	"spanish":    stopStem,
	"standard":   {filters: []string{"lowercase"}},
	"swedish":    stopStem,
	"thai":       {tokenizer: "thai", filters: []string{"lowercase", "decimal_digit", "stop"}},
	"turkish":    {filters: []string{"apostrophe", "lowercase", "stop", "stemmer"}},
}

var stopStem = chain{filters: []string{"lowercase", "stop", "stemmer"}}

// lightStemmers are the languages whose analyzer uses another stemmer than the one of the language's name.
var lightStemmers = map[string]string{
	"french": "light_french", "german": "light_german", "italian": "light_italian", "portuguese": "light_portuguese", "spanish": "light_spanish",
}

// articles are what the elision filter cuts off a word.
var articles = map[string][]string{
	"catalan": {"d", "l", "m", "n", "s", "t"},
	"french":  {"l", "m", "t", "qu", "n", "s", "j", "d", "c", "jusqu", "quoiqu", "lorsqu", "puisqu"},
	"irish":   {"d", "m", "b"},
	"italian": {
		"c", "l", "all", "dall", "dell", "nell", "sull", "coll", "pell", "gl", "agl", "dagl", "degl", "negl", "sugl",
		"un", "m", "t", "s", "v", "d",
	},
}

// languageFilter returns the settings of a filter of a chain; nil where its name alone says it.
func languageFilter(language, name string) map[string]any {
	switch name {
	case "stop":
		if language == "cjk" {
			return nil // the built-in one is English's
		}
		return map[string]any{"type": "stop", "stopwords": "_" + language + "_"}
	case "stemmer":
		return map[string]any{"type": "stemmer", "language": cmp.Or(lightStemmers[language], language)}
	case "possessive":
		return map[string]any{"type": "stemmer", "language": "possessive_english"}
	case "override":
		return map[string]any{"type": "stemmer_override", "rules": []string{"fiets=>fiets", "bromfiets=>bromfiets", "ei=>eier", "kind=>kinder"}}
	case "hyphenation":
		return map[string]any{"type": "stop", "stopwords": []string{"h", "n", "t"}, "ignore_case": true}
	case "elision":
		return map[string]any{"type": "elision", "articles": articles[language], "articles_case": true}
	case "lowercase":
		if slices.Contains([]string{"greek", "irish", "turkish"}, language) {
			return map[string]any{"type": "lowercase", "language": language}
		}
	}
	return nil
}

// synonymAnalyzer is the name of the analyzer that searches use where there are synonyms.
const synonymAnalyzer = "with_synonyms"

// synonymAnalysis returns the analysis settings of an analyzer that makes the same words of a text as the language's own,
// and adds what the rules say. A rule that this Elasticsearch can't read is left out: it would make the index inoperable
// at its next opening. migrate checks the rules before.
func synonymAnalysis(language string, rules []string) map[string]any {
	const prefix = "language_"
	c := languages[language]
	analyzer := map[string]any{"type": "custom", "tokenizer": cmp.Or(c.tokenizer, "standard")}
	analysis := map[string]any{"analyzer": map[string]any{synonymAnalyzer: analyzer}}
	if c.noJoiner {
		analysis["char_filter"] = map[string]any{prefix + "joiner": noJoiner}
		analyzer["char_filter"] = []string{prefix + "joiner"}
	}
	filters := map[string]any{}
	var names []string
	for _, name := range c.filters {
		if def := languageFilter(language, name); def != nil {
			name = prefix + name
			filters[name] = def
		}
		names = append(names, name)
	}
	filters["synonyms"] = map[string]any{"type": "synonym_graph", "synonyms": rules, "lenient": true}
	analyzer["filter"] = append(names, "synonyms")
	analysis["filter"] = filters
	return analysis
}

var noJoiner = map[string]any{"type": "mapping", "mappings": []string{`\u200C=>\u0020`}}

// languageNames lists the languages in the order of their names.
func languageNames() []string { return slices.Sorted(maps.Keys(languages)) }
