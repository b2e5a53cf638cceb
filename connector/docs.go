package connector

import "net/http"

// docsPath is where the contract is served.
const docsPath = "/docs"

func newDocs() http.Handler { return http.NotFoundHandler() }
