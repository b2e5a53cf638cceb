// Package api answers questions about calls: REST for programs, MCP for AI agents. Both ask the same questions of the same
// stores, with the same tokens and the same bounds.
//
//	postcall api ── Serve ─┬─ http.go   authenticate (tokens.go), bound, route       ─┐
//	                       └─ /mcp      mcp.go over streamable HTTP                   ├─ questions.go ─┬─ elastic.Reader
//	postcall mcp ─────────── mcp.go over stdio: whoever starts it may read            ─┘                └─ clickhouse.Reader
//
// fields.go says what can be asked by, routes.go and mcp_tools.go which questions there are; OpenAPI (openapi.go), the
// checks of parameters and the tools' schemas are made of those, and never written by hand.
//
// # What is shown
//
// Only calls of the token's tenant, and only those that a redaction went through (POSTCALL_API_REDACTED_BY): where one was
// stored unredacted, it doesn't exist here. Errors and logs hold nothing of a question or an answer.
//
// # What a caller said
//
// A transcript can hold anything, also an instruction to whoever reads it. MCP's answers therefore say that they are data,
// stand between two lines with a mark that no caller can know, are JSON (in which no text can end itself), lose characters
// that people can't see, and are cut to a stated size (told.go). That makes an attack visible; no marking makes it
// impossible, so the tools can do nothing but read.
//
// # Choices (2026-11)
//
//   - A process of its own, never inside serve: the process that writes never holds the right to read everything, a
//     question costs the intake no memory and no CPU, and it can be scaled, exposed and restarted alone. Rejected: a port
//     beside serve, which would have saved one process and given all of that up.
//   - Credentials never fall back on those that write. A store without an address is not enabled: its routes answer 501 and
//     its tools are absent.
//   - Tokens are 160 random bits and stored as SHA-256: a slow hash protects what can be guessed. A token has a tenant,
//     since a callId is unique only within one.
//   - A page's position is in the cursor, signed by the token's hash: no state here, any replica can go on, and a cursor is
//     of use to its token alone. A point in time is opened with the second page, since most clients never ask for it.
//   - MCP over HTTP is stateless: no session to steal, to keep or to route. It offers nothing that would need one.
//   - Plain HTTP, on loopback unless told otherwise: TLS is an ingress's work here as the API has no sender of its own.
package api
