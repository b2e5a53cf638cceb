package transforms_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postcall/postcall/transforms"
)

// language is a setting of a made-up plugin, with a default, a required value and a check.
type languageSettings struct {
	Fallback string              `json:"fallback" required:"true"`
	MinWords int                 `json:"minWords"`
	Timeout  transforms.Duration `json:"timeout"`
}

func (s *languageSettings) SetDefaults() { s.MinWords = 5 }

func (s *languageSettings) Validate() error {
	if s.MinWords < 1 {
		return errors.New(`"minWords" must be 1 or more`)
	}
	return nil
}

func ExampleDecodeSettings() {
	var s languageSettings
	fmt.Println(transforms.DecodeSettings([]byte(`{"fallback":"en","timeout":"30s"}`), &s), s.MinWords, s.Timeout)
	for _, wrong := range []string{`{}`, `{"fallback":7}`, `{"fallback":"en","falback":"de"}`, `{"fallback":"en","minWords":0}`, `{"timeout":"soon"}`} {
		fmt.Println(transforms.DecodeSettings([]byte(wrong), &languageSettings{}))
	}
	// Output:
	// <nil> 5 30s
	// settings: "fallback" is required
	// settings: "fallback" must be a string, not a number
	// settings: unknown setting "falback"
	// settings: "minWords" must be 1 or more
	// settings: "timeout" must be a duration like "500ms", "30s" or "1m30s"
}

// greeter counts greetings. It has no settings: Serve takes any struct for them.
type greeter struct{}

func (greeter) Transform(_ context.Context, batch []transforms.Event) ([]transforms.Event, error) {
	for i := range batch {
		n := 0
		for _, turn := range batch[i].Transcript {
			n += strings.Count(strings.ToLower(turn.Content), "hello")
		}
		if err := batch[i].SetExtra("greetings", n); err != nil {
			batch[i].Reject("extra can't be written")
		}
	}
	return batch, nil
}

// The main function of a plugin is one call of Serve.
func ExampleServe() {
	main := func() {
		transforms.Serve("count-greetings", "1.0.0", func(context.Context, struct{}) (transforms.Transformer, error) {
			return greeter{}, nil
		})
	}
	_ = main
}

// Loopback runs a transformer as a process would, without one.
func ExampleLoopback() {
	remote, stop, err := transforms.Loopback("count-greetings", "1.0.0", greeter{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	out, err := remote.Transform(context.Background(), []transforms.Event{{CallID: "a", Transcript: []transforms.Turn{{Role: "user", Content: "Hello"}}}})
	fmt.Println(string(out[0].Extra), out[0].Transforms, err)
	// Output: {"greetings":1} [{count-greetings 1.0.0}] <nil>
}

func ExampleEvent_Drop() {
	batch := []transforms.Event{{CallID: "a", CustomerPhoneNumber: "+15005550006"}, {CallID: "b"}}
	for i := range batch {
		if batch[i].CustomerPhoneNumber == "+15005550006" {
			batch[i].Drop("test call") // it stays in the batch: the answer has an entry for each event
		}
	}
	fmt.Println(batch[0].Outcome.Decision == transforms.Drop, batch[0].Outcome.Reason, batch[1].Outcome.Decision == transforms.Keep)
	// Output: true test call true
}

func ExampleEvent_Reject() {
	e := transforms.Event{CallID: "a", AgentName: "an unknown agent of that name"}
	e.Reject("agent is not in the directory") // a reason is for operators and holds nothing of the event
	fmt.Println(e.Outcome.Reason)
	// Output: agent is not in the directory
}

func ExampleEvent_Split() {
	call := transforms.Event{CallID: "a", Transcript: []transforms.Turn{
		{Role: "user", Content: "about my order"}, {Role: "system", Content: "transferred"}, {Role: "user", Content: "about my bill"},
	}}
	first, second := call.Clone(), call.Clone()
	first.Transcript, second.Transcript = first.Transcript[:1], second.Transcript[2:]
	for _, e := range call.Split(first, second) {
		fmt.Println(e.CallID, e.ParentCallID, len(e.Transcript))
	}
	// Output:
	// a  3
	// a#1 a 1
	// a#2 a 1
}

func ExampleEvent_SetExtra() {
	e := transforms.Event{CallID: "a", Extra: []byte(`{"campaign":"autumn"}`)}
	fmt.Println(e.SetExtra("language", "en"), string(e.Extra))
	// Output: <nil> {"campaign":"autumn","language":"en"}
}

func ExampleEvent_ReadExtra() {
	e := transforms.Event{CallID: "a", Extra: []byte(`{"campaign":"autumn"}`)}
	var campaign string
	found, err := e.ReadExtra("campaign", &campaign)
	fmt.Println(found, err, campaign)
	// Output: true <nil> autumn
}

// Permanent says that this batch will always fail. postcall halves it until it finds the event, and holds that one back.
// Where the transformer knows the event, Event.Reject says so at once.
func ExamplePermanent() {
	err := transforms.Permanent(errors.New("a transcript is too long for the model"))
	fmt.Println(transforms.IsPermanent(err), transforms.IsPermanent(errors.New("the model does not answer")))
	// Output: true false
}
