// Package console is the page for operators on the admin port, at /console/: where everything stands, what is held back and
// why, the latest calls, how the plugins do. It is one page of html/template with a little JavaScript, all of it embedded.
//
//	console.go  routes, and the headers of every answer
//	auth.go     who may look: a password, and bounds for wrong ones
//	look.go     one look for all who watch, and the rates between two
//	view.go     what page.html is filled with
//	dead.go     one dead letter: preview, replay, purge
//
// # Choices (2026-11)
//
//   - HTTP Basic: the browser asks, and there is no session to steal, to keep or to end. What changes something must come
//     from the page itself (http.CrossOriginProtection).
//   - What is polled is the page's own HTML, made by the same templates: script only brings what is there up to date, so
//     the page says the same without it. Rejected: JSON, of which script would make everything a second time.
//   - The policy forbids inline script and style, other origins, and making HTML of text (Trusted Types).
//   - A preview shows an event after redaction, or the names of a body's fields; there is no way to see more.
//   - The latest calls come from sealed batches, not from a store: they are there while a store is down, and nothing that
//     writes has to hold the right to read.
package console
