// Package demo makes a believable month of calls: what a sender would deliver for five small businesses whose phones are
// answered by AI agents. It is for demonstrations, tests and measurements, imports the standard library alone, and makes
// the same bytes of the same [Options].
//
//	for body := range demo.Month(demo.Options{Calls: 400, Seed: 1, Start: start}) {
//		deliver(body)
//	}
//
// # What is in it
//
// Hours, weekdays and seasons have the shape of a business, in its own time zone and across a change of the clocks. One
// working day has an incident: more calls than any other, and fewer of them solved. Every scenario has topics, purposes
// and outcomes of its own, and the transcript, summary, key points, open questions and action items of a call tell the same
// story. About one call in five is by somebody who called before, mostly within a week, mostly because the first call did not help.
//
// Some calls are short and abandoned, some reach a mailbox, some fail, a few are tests of the sender. Some deliveries come
// again as they were, and some with another summary and outcome: the same callId, later. ai_success, followUp, sentiment
// and endedReason are spelled in the many ways in which models spell them.
//
// Everybody is made up. Numbers are NANP's 555-0100 to 555-0199, which are reserved for fiction, and addresses are at
// example.com, example.org and example.net.
//
//	calendar.go   when calls come
//	people.go     who calls, and who calls again
//	agents.go     who answers, and what about
//	scenarios*.go what is said
//	call.go       one call: its choices
//	story.go      its texts
//	payload.go    its JSON
package demo
