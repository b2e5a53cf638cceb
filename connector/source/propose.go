package source

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// wanted are the fields of an event with the ends of places that senders have for them, the likeliest first, in small
// letters and without _ and -. A point is between a name and the one it is in.
var wanted = []struct {
	field string
	kinds string // of values: s string, n number, b boolean
	names []string
}{
	{"callId", "s", []string{"callid", "conversationid", "call.id", "callsid", "calluuid", "sessionid", "uuid", "id"}},
	{"agentName", "s", []string{"agentname", "assistantname", "botname", "assistant.name", "agent.name", "bot.name"}},
	{"callerName", "s", []string{"callername", "customername", "customer.name", "caller.name", "contact.name"}},
	{"callDirection", "s", []string{"calldirection", "direction", "call.type", "calltype"}},
	{"callStarted", "sn", []string{"callstarted", "startedat", "starttimestamp", "starttimeunixsecs", "starttime", "start", "createdat"}},
	{"callEnded", "sn", []string{"callended", "endedat", "endtimestamp", "endtimeunixsecs", "endtime", "end"}},
	{"duration", "sn", []string{"duration", "durationseconds", "callduration", "calldurationsecs", "durationsecs", "durationms", "durationmilliseconds"}},
	{"businessPhoneNumber", "s", []string{"businessphonenumber", "agentnumber", "businessnumber", "phonenumber.number", "tonumber", "to"}},
	{"customerPhoneNumber", "s", []string{"customerphonenumber", "customernumber", "externalnumber", "customer.number", "customer.phone", "callernumber", "fromnumber", "from", "phone"}},
	{"mentionedEmail", "s", []string{"mentionedemail", "customer.email", "email"}},
	{"summary", "s", []string{"summary", "callsummary", "transcriptsummary", "shortsummary"}},
	{"longSummary", "s", []string{"longsummary", "detailedsummary"}},
	{"purpose", "s", []string{"purpose", "intent", "reason"}},
	{"topic", "s", []string{"topic", "category", "callsummarytitle", "subject"}},
	{"sentiment", "sn", []string{"sentiment", "usersentiment", "customersentiment"}},
	{"ai_success", "sbn", []string{"aisuccess", "callsuccessful", "successevaluation", "successful", "success", "resolved"}},
	{"followUp", "sbn", []string{"followup", "needsfollowup", "followuprequired"}},
	{"endedReason", "s", []string{"endedreason", "disconnectionreason", "terminationreason", "hangupreason", "endreason"}},
	{"recordingUrl", "s", []string{"recordingurl", "recording.url", "audiourl", "recording"}},
	{"dashboardUrl", "s", []string{"dashboardurl", "publiclogurl", "calllink"}},
	{"isTest", "b", []string{"istest", "test", "sandbox"}},
}

var (
	roleNames    = []string{"role", "speaker", "from", "who", "participant"}
	contentNames = []string{"content", "message", "text", "utterance", "transcript"}
)

// Propose writes a mapping for a body of a sender that nothing is known about: the likeliest place for each field. It is
// a start to be read and corrected; a guess says so.
func Propose(body []byte) (string, error) {
	v, err := decode(body)
	if err != nil {
		return "", err
	}
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0] // each element of an array is an event
	}
	root, ok := v.(map[string]any)
	if !ok {
		return "", refused(typeName(v), "give a body that is a JSON object")
	}
	fields := fieldsOf(root)
	var b strings.Builder
	b.WriteString("# Proposed by `postcall mapping init` from one body. Read every line: the names were guessed from.\n")
	if kind, value := eventKind(root); kind != "" {
		fmt.Fprintf(&b, "# The sender may send other events too, which are no calls.\nselect(%s == %s) |\n", kind, value)
	}
	b.WriteString("{\n")
	var lines []string
	for _, w := range wanted {
		if f, ok := likeliest(fields, w.kinds, w.names); ok {
			place := f.String()
			if end := squeeze(f.Path[len(f.Path)-1]); w.field == "duration" && strings.Contains(end, "ms") || strings.Contains(end, "millis") && w.field == "duration" {
				place = "(" + place + " / 1000)"
			}
			lines = append(lines, fmt.Sprintf("  %s: %s", w.field, place))
		} else if w.field == "callId" {
			lines = append(lines, "  callId: error(\"name the place of the call's id: it is the one field that is required\")")
		}
	}
	if place, role, content, ok := turnsOf(root, nil); ok {
		lines = append(lines, fmt.Sprintf("  transcript: [%s[]? | {role: .%s, content: .%s}]", strings.TrimSuffix(place.String(), "[]"), role, content))
	} else if f, ok := likeliest(fields, "s", []string{"transcripttext", "transcript", "conversation"}); ok {
		lines = append(lines, "  transcriptText: "+f.String())
	}
	b.WriteString(strings.Join(lines, ",\n"))
	b.WriteString("\n} | with_entries(select(.value != null))\n")
	return b.String(), nil
}

// squeeze writes a name as wanted has it.
func squeeze(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
}

// likeliest finds the place whose end is named earliest, and of those the shortest.
func likeliest(fields []Field, kinds string, names []string) (best Field, ok bool) {
	for _, name := range names {
		for _, f := range fields {
			if slices.Contains(f.Path, "*") || len(f.Path) == 0 || !strings.Contains(kinds, f.Kind[:1]) {
				continue
			}
			end := squeeze(f.Path[len(f.Path)-1])
			if len(f.Path) > 1 && strings.Contains(name, ".") {
				end = squeeze(f.Path[len(f.Path)-2]) + "." + end
			}
			if end == name && (!ok || len(f.Path) < len(best.Path)) {
				best, ok = f, true
			}
		}
		if ok {
			return best, true
		}
	}
	return best, false
}

// turnsOf finds the list whose elements have a speaker and a text, the longest one.
func turnsOf(v any, path []string) (place Field, role, content string, ok bool) {
	most := 0
	var walk func(v any, path []string)
	walk = func(v any, path []string) {
		switch v := v.(type) {
		case map[string]any:
			for _, k := range sortedNames(v) {
				walk(v[k], append(slices.Clone(path), k))
			}
		case []any:
			if len(v) <= most {
				return
			}
			if first, isObject := v[0].(map[string]any); isObject {
				r, c := firstName(first, roleNames), firstName(first, contentNames)
				if r != "" && c != "" {
					most, role, content, ok = len(v), r, c, true
					place = Field{Path: append(slices.Clone(path), "*")}
				}
			}
		}
	}
	walk(v, path)
	return place, role, content, ok
}

func sortedNames(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

func firstName(m map[string]any, names []string) string {
	for _, want := range names {
		for _, k := range sortedNames(m) {
			if _, text := m[k].(string); text && squeeze(k) == want && plainName(k) {
				return k
			}
		}
	}
	return ""
}

// eventKind finds what says of a body which event it is.
func eventKind(root map[string]any) (place, value string) {
	for _, inside := range []string{"", "message"} {
		m, prefix := root, ""
		if inside != "" {
			var ok bool
			if m, ok = root[inside].(map[string]any); !ok {
				continue
			}
			prefix = "." + inside
		}
		for _, k := range []string{"event", "type", "event_type", "eventType"} {
			if s, ok := m[k].(string); ok && len(s) < 60 {
				b, _ := json.Marshal(s)
				return prefix + "." + k, string(b)
			}
		}
	}
	return "", ""
}
