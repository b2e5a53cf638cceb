package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/postcall/postcall/connector"
)

type object = map[string]any

const contractText = "Read-only questions about calls, answered out of what postcall has loaded: after redaction, for the tenant of the token. " +
	"MCP has the same questions as tools, at " + mcpPath + ". A store that is not enabled makes its routes answer 501."

// OpenAPI is the contract of REST, made of the routes and the types that answer them; docs/api holds a copy.
var OpenAPI = sync.OnceValue(func() []byte {
	paths := object{}
	for i := range routes {
		paths[routes[i].path] = object{"get": routes[i].operation()}
	}
	b, err := json.MarshalIndent(object{
		"openapi": "3.1.0", "info": object{"title": "postcall: calls", "version": "1", "description": contractText},
		"paths": paths, "security": []any{object{"bearer": []any{}}},
		"components": object{
			"schemas": object{
				"Event": connector.EventSchema(), "Events": eventsSchema(), "Calls": schemaOf[calls](), "Catalogue": schemaOf[catalogue](),
				"Numbers": schemaOf[numbers](), "Problem": schemaOf[problem](),
			},
			"securitySchemes": object{"bearer": object{"type": "http", "scheme": "bearer", "description": "A token of postcall api token new"}},
		},
	}, "", "  ")
	if err != nil {
		panic("api: the contract is no JSON: " + err.Error()) // a bug, seen by every test
	}
	return append(b, '\n')
})

func schemaOf[T any]() *jsonschema.Schema {
	s, err := jsonschema.For[T](nil)
	if err != nil {
		panic("api: a type has no schema: " + err.Error()) // a bug, seen by every test
	}
	return s
}

func eventsSchema() object {
	return object{
		"type": "object", "required": []string{"events"}, "additionalProperties": false,
		"properties": object{"events": object{"type": "array", "items": ref("Event")}},
	}
}

func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

func (r *route) operation() object {
	op := object{
		"operationId": r.id, "summary": r.text, "description": "Needs the scope " + string(r.scope) + ".",
		"responses": r.responses(),
	}
	var params []any
	for _, p := range r.params {
		in := object{"name": p.name, "in": "query", "description": p.meaning, "schema": p.schema, "required": p.required}
		if p.inPath {
			in["in"] = "path"
		}
		if p.schema.Type == "array" { // in an address an empty list is no list
			some := *p.schema
			some.MinItems = new(1)
			in["schema"], in["style"], in["explode"] = &some, "form", false
		}
		params = append(params, in)
	}
	if params != nil {
		op["parameters"] = params
	}
	return op
}

var meanings = map[int]string{
	304: "The client has this answer: If-None-Match has its ETag", 400: "A parameter is wrong, or there is none of that name",
	401: "No token, or one that is not valid", 403: "The token has not the scope", 404: "There is no such thing, or none that may be shown",
	405: "The method is not GET", 422: "The parameters don't go together, or ask for too much", 429: "More requests than the token may make",
	501: "The store of this route is not enabled", 503: "Busy, or the store gives no answer now",
}

func (r *route) responses() object {
	header := func(text string) object { return object{"description": text, "schema": object{"type": "string"}} }
	tag, id := header("Changes with the answer"), header("Id of the request, in the log as well")
	all := object{"200": object{
		"description": "The answer", "headers": object{"ETag": tag, requestIDHeader: id},
		"content": object{"application/json": object{"schema": ref(r.answer)}},
	}}
	all["431"] = object{ // the server's own, before anything is asked
		"description": "The header with the address is larger than 32 KiB", "content": object{"text/plain": object{"schema": object{"type": "string"}}},
	}
	for _, status := range r.statuses() {
		if status == http.StatusNotModified {
			all["304"] = object{"description": meanings[status], "headers": object{"ETag": tag, requestIDHeader: id}}
			continue
		}
		headers := object{requestIDHeader: id}
		switch status {
		case 401, 403:
			headers["WWW-Authenticate"] = header("What the token lacks")
		case 405:
			headers["Allow"] = header("The methods")
		case 429, 503:
			headers["Retry-After"] = object{"description": "Seconds until a retry makes sense", "schema": object{"type": "string", "pattern": "^[0-9]+$"}}
		}
		all[strconv.Itoa(status)] = object{
			"description": meanings[status], "headers": headers, "content": object{"application/problem+json": object{"schema": ref("Problem")}},
		}
	}
	return all
}
