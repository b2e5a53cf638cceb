package connector

import (
	"fmt"
	"html"
	"net/http"
	"strings"
)

// docsPath is where the contract is served.
const docsPath = "/docs"

// newDocs serves the contract, and a page that lists it. It holds nothing of the configuration.
func newDocs() http.Handler {
	files := ContractFiles()
	var page strings.Builder
	page.WriteString("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>postcall</title>\n<h1>postcall</h1>\n")
	fmt.Fprintf(&page, "<p>%s</p>\n<ul>\n", html.EscapeString(contractText))
	for _, name := range contractNames {
		fmt.Fprintf(&page, "<li><a href=\"%s/%s\">%s</a></li>\n", docsPath, name, name)
	}
	page.WriteString("</ul>\n</html>\n")
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			(problem{Status: http.StatusMethodNotAllowed, Detail: "use GET"}).write(rw)
			return
		}
		body, kind := []byte(page.String()), "text/html; charset=utf-8"
		if name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, docsPath), "/"); name != "" {
			var ok bool
			if body, ok = files[name]; !ok {
				(problem{Status: http.StatusNotFound, Detail: "the contract has no such file"}).write(rw)
				return
			}
			kind = "application/json"
		}
		h.Set("Content-Type", kind)
		h.Set("Content-Security-Policy", "default-src 'none'")
		h.Set("Cache-Control", "max-age=300")
		_, _ = rw.Write(body) // the client may be gone; nothing is left to do
	})
}
