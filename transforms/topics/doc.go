// Package topics gives calls their topics by rules: words and phrases that are looked for in the texts of a call. It is
// a plain library: strings in, names of topics out.
//
//	m, err := topics.Parse("topics.yaml", data) // or topics.Default()
//	m.Match(topics.Call{Summary: "asked for a refund of the last invoice"}) // [Billing]
//
// # Rules
//
// A file of rules is YAML:
//
//	other: other               # the topic of calls that no rule matches; this is the default
//	topics:
//	  - name: Billing
//	    any: [invoice, refund, "payment method", charg*]
//	    none: ["free of charge"]
//	    fields: [summary, topic]
//
// A topic is given when at least one phrase of any, and no phrase of none, is in one of the fields. A call has every
// topic that matches, in the order of the rules, and other when none does.
//
// A phrase is a row of words. Case, punctuation and white space make no difference; a word matches whole words only,
// and with a star at its end every word that begins with it. Letters and digits make words, in every script; an
// apostrophe inside a word belongs to it, and is left out.
//
// Fields are topic, purpose, summary, keyPoints, actionItems, followUpReason, user and agent (what each of them said),
// and transcript (everything said). Without fields a rule looks at topic, purpose, summary, keyPoints and user. What
// the agent says is left out by default: its menus and offers name topics that the call is not about.
//
// # How
//
// All phrases of all rules are one trie of words, so that a call is read once, however many rules there are.
package topics
