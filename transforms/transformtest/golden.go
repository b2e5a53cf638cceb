package transformtest

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"

	"github.com/postcall/postcall/transforms"
)

// The files are those of testdata/golden, which a module that imports this one doesn't have (TestGoldenFiles).
//
//go:embed golden/*.json
var goldenFiles embed.FS

// golden returns what postcall makes of real senders' payloads.
func golden() []transforms.Event {
	files, err := goldenFiles.ReadDir("golden")
	if err != nil {
		panic(err) // it is in the binary
	}
	events := make([]transforms.Event, len(files))
	for i, f := range files {
		data, err := goldenFiles.ReadFile(path.Join("golden", f.Name()))
		if err == nil {
			err = json.Unmarshal(data, &events[i])
		}
		if err != nil {
			panic(fmt.Sprintf("%s: %v", f.Name(), err)) // TestGoldenFiles would have told
		}
		if len(events[i].Transcript) == 0 {
			events[i].Transcript = nil // JSON has it always, the wire doesn't tell
		}
	}
	return events
}
