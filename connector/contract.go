package connector

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postcall/postcall/connector/source"
	"github.com/postcall/postcall/transforms"
)

// object is a JSON object of a contract; its names are written in order, so that the files are the same each time.
type object = map[string]any

// ContractFiles returns the contract by name of file: OpenAPI 3.1, AsyncAPI 3.0, and the JSON Schemas of a delivery and of
// a canonical event. They are made of the types and tables that the program works by; docs/api holds a copy.
func ContractFiles() map[string][]byte {
	files := map[string]object{
		"openapi.json":         openAPI(),
		"asyncapi.json":        asyncAPI(),
		"delivery.schema.json": withHead("delivery", "A delivery of one call, in Phonely's field names", deliverySchema()),
		"event.schema.json":    withHead("event", "A canonical event, as transforms and `postcall transform` have it", eventSchema()),
	}
	out := make(map[string][]byte, len(files))
	for name, f := range files {
		b, err := json.MarshalIndent(f, "", "  ")
		if err != nil {
			panic("connector: a contract is no JSON: " + err.Error()) // a bug, seen by every test
		}
		out[name] = append(b, '\n')
	}
	return out
}

func withHead(name, title string, schema object) object {
	out := object{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:postcall:schema:" + name, "title": title}
	maps.Copy(out, schema)
	return out
}

// text patterns of deliverySchema. They are written so that JavaScript's, Python's and Go's engines agree on them.
const (
	patternTime     = `^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,3})?Z$`
	patternDuration = `^[0-9]{1,6}(\.[0-9]*)?$`
	patternRole     = `^[^\u0000-\u001f\u007f-\u009f]{0,64}$`
)

// deliverySchema is what the webhook takes of a call. It promises less than the normalizer takes: times in RFC 3339 or
// Unix time, for example, where other spellings are read as well.
func deliverySchema() object {
	props := object{}
	for f := range numFields {
		s := kindSchema(fields[f].kind)
		s["description"] = fieldMeanings[fields[f].name]
		props[fields[f].name] = s
	}
	return object{
		"type": "object", "required": []string{"callId"}, "properties": props, "additionalProperties": true,
		"description": "One call. Only callId is required; null, an empty text and \"not available\" mean that something is not known. Other fields are kept.",
	}
}

// unknownSchema are the ways to say nothing.
var unknownSchema = object{"enum": []any{nil, "", "not available"}}

func kindSchema(k fieldKind) object {
	// A time is rounded to the millisecond before it is compared with the bounds.
	unix := object{"type": "number", "minimum": float64(firstTime.Unix()) - 0.0005, "exclusiveMaximum": float64(endOfTime.Unix()) - 0.0005}
	millis := object{"type": "number", "minimum": float64(firstTime.UnixMilli()) - 0.5, "exclusiveMaximum": float64(endOfTime.UnixMilli()) - 0.5}
	switch k {
	case kindID:
		return object{"type": "string", "minLength": 1, "maxLength": maxCallID, "pattern": `^[!-~]{1,` + strconv.Itoa(maxCallID) + `}$`}
	case kindLoose:
		return object{"type": []string{"string", "boolean", "number", "null"}}
	case kindFlag:
		return object{"anyOf": []any{object{"type": "boolean"}, unknownSchema, object{"enum": []string{"true", "false", "yes", "no"}}}}
	case kindTime:
		return object{"anyOf": []any{object{"type": "string", "pattern": patternTime}, unix, millis, unknownSchema}}
	case kindDuration:
		return object{"anyOf": []any{
			object{"type": "number", "minimum": 0, "maximum": maxDuration.Seconds()}, object{"type": "string", "pattern": patternDuration}, unknownSchema,
		}}
	case kindList:
		return object{"anyOf": []any{object{"type": "array", "items": object{"type": []string{"string", "null"}}}, unknownSchema}}
	case kindTurns:
		turn := object{"type": []string{"object", "null"}, "properties": object{
			"role": object{
				"anyOf":       []any{object{"type": "string", "pattern": patternRole}, object{"type": "null"}},
				"description": "agent, assistant, bot or ai; user, human, customer or caller; another word is kept.",
			},
			"content": object{"type": []string{"string", "null"}},
		}}
		return object{"anyOf": []any{object{"type": "array", "maxItems": maxTurns, "items": turn}, unknownSchema}}
	}
	return object{"type": []string{"string", "null"}}
}

// eventSchema is made of the type.
func eventSchema() object {
	s := typeSchema(reflect.TypeFor[transforms.Event]())
	s["required"] = []string{"callId", "metrics", "transcript"}
	return s
}

// EventSchema is the JSON Schema of a canonical event, for contracts besides this package's.
func EventSchema() map[string]any { return eventSchema() }

// typeSchema is the JSON Schema of a Go type, by its json tags.
func typeSchema(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return object{"type": "object"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(t.Elem())
	case reflect.Slice:
		return object{"type": "array", "items": typeSchema(t.Elem())}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Struct:
		props := object{}
		var required []string
		for i := range t.NumField() {
			name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			if name == "" || name == "-" {
				continue
			}
			s := typeSchema(t.Field(i).Type)
			if text := fieldMeanings[name]; text != "" && t == reflect.TypeFor[transforms.Event]() {
				s["description"] = text
			}
			props[name] = s
			if !strings.Contains(options, "omit") {
				required = append(required, name)
			}
		}
		slices.Sort(required)
		return object{"type": "object", "properties": props, "required": required}
	}
	return object{"type": "string"}
}

// fieldMeanings says what the fields of a delivery and of an event are.
var fieldMeanings = map[string]string{
	"callId":              "Id of the call, unique for the sender. A later delivery with the same id replaces the earlier one.",
	"agentName":           "Name of the AI agent.",
	"callerName":          "Name of the caller.",
	"callDirection":       "inbound or outbound, or another word of the sender's.",
	"callStarted":         "When the call began: RFC 3339, or Unix time in seconds or milliseconds. Without it the end less the duration, else the time of receipt.",
	"callEnded":           "When the call ended.",
	"duration":            "Length in seconds.",
	"businessPhoneNumber": "Number of the business, E.164.",
	"customerPhoneNumber": "Number of the caller, E.164.",
	"mentionedEmail":      "E-mail address that was mentioned.",
	"mentionedDate":       "Date that was mentioned, as the sender writes it.",
	"mentionedTime":       "Time that was mentioned, as the sender writes it.",
	"transcriptText":      "The call as one text, with Agent: and User: at the beginning of turns.",
	"transcript":          "The turns of the call, in order.",
	"summary":             "Short summary.",
	"longSummary":         "Long summary.",
	"purpose":             "Why the caller called.",
	"topic":               "Topic in the sender's words.",
	"sentiment":           "positive, neutral, negative or mixed; other text is kept as it is.",
	"keyPoints":           "Key points.",
	"unansweredQuestions": "Questions that the agent could not answer.",
	"actionItems":         "What is to be done after the call.",
	"followUp":            "Whether somebody has to follow up: yes or no.",
	"followUpReason":      "Why somebody has to follow up.",
	"ai_success":          "Whether the agent reached its goal.",
	"recordingUrl":        "Address of the recording.",
	"dashboardUrl":        "Address of the call in the sender's dashboard.",
	"endedReason":         "How the call ended, for example caller_hangup, agent_hangup, transfer or voicemail.",
	"isTest":              "Marks a test: it is stored, and left out of every metric.",
	"tenant":              "Tenant of the source; part of every key.",
	"source":              "Source that took the delivery.",
	"parentCallId":        "Call that this one was split from by a transform.",
	"version":             "Microseconds; of several deliveries of a call the highest version is valid.",
	"receivedAt":          "When the webhook took the delivery.",
	"extra":               "Fields of the sender's that have no place of their own.",
	"sentimentKind":       "sentiment as one of positive, neutral, negative, mixed.",
	"followUpBool":        "followUp as yes or no.",
	"ai_successBool":      "ai_success as yes or no.",
	"topics":              "Topics of the taxonomy (map-topics), the main one first.",
	"topicConfidence":     "How sure the first topic is, 0 to 1.",
	"topicRule":           "The rule that made the first topic, and the field it was found in.",
	"endedReasonKind":     "endedReason in the vocabulary of map-topics, for example caller_hangup.",
	"customerKey":         "Keyed hash of customerPhoneNumber.",
	"emailKey":            "Keyed hash of mentionedEmail.",
	"metrics":             "Counts that are made before any transform.",
	"transforms":          "The transforms the event went through, in order.",
}

const contractTitle, contractVersion = "postcall", "1"

const contractText = "Deliveries of post-call events. A 2xx means that the delivery is on disk. A delivery that is repeated, or corrected under " +
	"the same callId, replaces the earlier one, so a sender may repeat whatever it is not sure of. Bodies are UTF-8 JSON: one event, an array of them, " +
	"or NDJSON, also compressed by gzip, deflate or zstd; no name twice in an object."

// openAPI describes the webhook over HTTP.
func openAPI() object {
	event := object{"$ref": "#/components/schemas/Delivery"}
	post := func(id, summary string, one object) object {
		return object{
			"operationId": id, "summary": summary, "security": []any{object{"bearer": []any{}}, object{"secretHeader": []any{}}, object{}},
			"requestBody": object{"required": true, "content": object{
				"application/json": object{"schema": object{"anyOf": []any{one, object{"type": "array", "minItems": 1, "maxItems": source.DefaultMaxEvents, "items": one}}}},
			}},
			"responses": responses(),
		}
	}
	hook := post("deliverToSource", "Deliver to a source of POSTCALL_SOURCES, in the form that its mapping reads", object{"type": "object"})
	hook["parameters"] = []any{object{
		"name": "source", "in": "path", "required": true, "description": "Name of the source",
		"schema": object{"type": "string", "pattern": "^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$"},
	}}
	docs := object{}
	for _, name := range slices.Sorted(slices.Values(contractNames)) {
		docs[docsPath+"/"+name] = object{"get": object{
			"operationId": "get_" + strings.NewReplacer(".", "_").Replace(name), "summary": "This contract: " + name,
			"responses": object{"200": object{"description": "The file", "content": object{"application/json": object{"schema": object{"type": "object"}}}}},
		}}
	}
	paths := object{
		WebhookPath:                     object{"post": post("deliver", "Deliver calls in Phonely's field names", event)},
		source.HooksPrefix + "{source}": object{"post": hook},
	}
	maps.Copy(paths, docs)
	return object{
		"openapi": "3.1.0", "info": object{"title": contractTitle, "version": contractVersion, "description": contractText}, "paths": paths,
		"components": object{
			"schemas": object{
				"Delivery": deliverySchema(), "Answer": answerSchema(), "Problem": problemSchema(),
			},
			"securitySchemes": object{
				"bearer":       object{"type": "http", "scheme": "bearer", "description": "POSTCALL_WEBHOOK_SECRET; a source may ask for something else"},
				"secretHeader": object{"type": "apiKey", "in": "header", "name": SecretHeader},
			},
		},
	}
}

func responses() object {
	problem := func(text string, retry bool) object {
		h := object{RequestIDHeader: object{"schema": object{"type": "string"}, "description": "Id of the request, in the log as well"}}
		if retry {
			h["Retry-After"] = object{"schema": object{"type": "integer", "minimum": 1}, "description": "Seconds until a retry makes sense"}
		}
		return object{"description": text, "headers": h, "content": object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}}}
	}
	return object{
		"200": object{"description": "It is on disk; of several events those that could be taken are, and each is listed", "content": object{
			"application/json": object{"schema": object{"$ref": "#/components/schemas/Answer"}},
		}},
		"400": problem("The body is no JSON, or is not what its Content-Encoding says", false),
		"401": problem("The sender has not shown who it is", false),
		"403": problem("The sender may not deliver from there, or with that certificate", false),
		"404": problem("No source has this path", false),
		"405": problem("The method is not POST", false),
		"408": problem("The body did not come in time", false),
		"413": problem("The body is too large", false),
		"415": problem("Content-Type or Content-Encoding is none that is taken", false),
		"422": problem("JSON with wrong fields, all of which are listed", false),
		"429": problem("More deliveries than the source may make", true),
		"503": problem("Busy or full: nothing of it is lost if it is sent again", true),
	}
}

func answerSchema() object {
	s := typeSchema(reflect.TypeFor[answer]())
	s["properties"].(object)["status"] = object{"enum": []string{statusStored, statusIgnored, statusTest}}
	e := s["properties"].(object)["events"].(object)["items"].(object)
	e["properties"].(object)["status"] = object{"enum": []string{statusStored, statusIgnored, statusRefused, statusTest}}
	return s
}

func problemSchema() object {
	s := typeSchema(reflect.TypeFor[problem]())
	s["description"] = "RFC 9457"
	return s
}

// asyncAPI describes the same as events of a channel.
func asyncAPI() object {
	channel := func(address, text string) object {
		return object{"address": address, "description": text, "messages": object{"call": object{"$ref": "#/components/messages/call"}}}
	}
	return object{
		"asyncapi": "3.0.0", "info": object{"title": contractTitle, "version": contractVersion, "description": contractText},
		"defaultContentType": "application/json",
		"channels":           object{"phonely": channel(WebhookPath, "Phonely's \"Send Call Data\" action")},
		"operations": object{"receiveCall": object{
			"action": "receive", "channel": object{"$ref": "#/channels/phonely"}, "messages": []any{object{"$ref": "#/channels/phonely/messages/call"}},
			"summary": "Take the call and make it durable", "bindings": object{"http": object{"method": http.MethodPost, "bindingVersion": "0.3.0"}},
		}},
		"components": object{"messages": object{"call": object{
			"name": "call", "title": "A call that has ended", "contentType": "application/json",
			"payload": object{"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": deliverySchema()},
		}}},
	}
}

// contractNames are the files of the contract.
var contractNames = []string{"openapi.json", "asyncapi.json", "delivery.schema.json", "event.schema.json"}
