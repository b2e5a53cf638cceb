package transforms

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type everySetting struct {
	Token   string         `json:"token" required:"true"`
	URL     string         `json:"url"`
	Share   float64        `json:"share"`
	Max     int8           `json:"max"`
	On      bool           `json:"on"`
	Words   []string       `json:"words"`
	Timeout Duration       `json:"timeout"`
	Rules   []settingsRule `json:"rules"`
	Server  struct {
		Host string `json:"host" required:"true"`
	} `json:"server"`
}

type settingsRule struct {
	Name string `json:"name"`
}

func (s *everySetting) SetDefaults() { s.Share, s.Timeout = 0.5, Duration{5 * time.Second} }

func (s *everySetting) Validate() error {
	if s.Share < 0 || s.Share > 1 {
		return errors.New(`"share" must be from 0 to 1`)
	}
	return nil
}

func TestDecodeSettings(t *testing.T) {
	var got everySetting
	const all = `{"token":"s3cret","max":3,"on":true,"words":["a"],"TIMEOUT":"1m","rules":[{"name":"x"}],"server":{"host":"h"}}`
	if err := DecodeSettings([]byte(all), &got); err != nil {
		t.Fatal(err)
	}
	want := everySetting{Token: "s3cret", Share: 0.5, Max: 3, On: true, Words: []string{"a"}, Timeout: Duration{time.Minute}, Rules: []settingsRule{{"x"}}}
	want.Server.Host = "h"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := DecodeSettings([]byte(`{"token":"s3cret"}`), &got); err != nil || got.Timeout.Duration != 5*time.Second {
		t.Errorf("a timeout of %s by default, %v", got.Timeout, err)
	}
}

func TestWrongSettingsAreNamed(t *testing.T) {
	f := func(settings, says string) {
		t.Helper()
		err := DecodeSettings([]byte(settings), new(everySetting))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", settings, err, says)
		} else if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "777") {
			t.Errorf("%s: %v tells a value", settings, err)
		}
	}
	f(`{"token":"s3cret","tokn":"s3cret"}`, `unknown setting "tokn"`)
	f(``, `"token" is required`)
	f(`{}`, `"token" is required`)
	f(`{"token":null}`, `"token" is required`)
	f(`{"token":""}`, `"token" is required`)
	f(`{"token":"s3cret","server":{}}`, `"server.host" is required`)
	f(`{"token":777}`, `"token" must be a string, not a number`)
	f(`{"share":"s3cret"}`, `"share" must be a number, not a string`)
	f(`{"max":777}`, `"max" must be a whole number (int8), not a number`)
	f(`{"on":"s3cret"}`, `"on" must be true or false, not a string`)
	f(`{"words":{"s3cret":1}}`, `"words" must be a list, not an object`)
	f(`{"words":[true]}`, `"words" must be a string, not true or false`)
	f(`{"server":[]}`, `"server" must be an object, not a list`)
	f(`{"rules":[{"name":777}]}`, `"rules.name" must be a string, not a number`)
	f(`{"timeout":777}`, `"timeout" must be a duration like "30s", not a number`)
	f(`{"timeout":"s3cret"}`, `"timeout" must be a duration like`)
	f(`{"timeout":"-1s"}`, `"timeout" must be a duration like`)
	f(`{"token":"s3cret","share":1.5}`, `"share" must be from 0 to 1`)
	f(`[]`, "not a JSON object")
	f(`{"token":"s3cret",}`, "no valid JSON, at byte")
}
