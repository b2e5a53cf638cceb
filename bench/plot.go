package main

import (
	"fmt"
	"os"
	"strings"
)

// plotted are the bars of the plot, each in the scale of its largest value.
var plotted = []struct {
	title string
	of    func(r result) float64
}{
	{"accepted, events a second", result.accepted},
	{"in both stores, events a second", func(r result) float64 { return r.Stored }},
	{"CPU seconds per 1,000 events", func(r result) float64 { return r.CPU }},
	{"answer p99, ms", func(r result) float64 { return r.Load.P99 }},
	{"resident memory at most, MiB", func(r result) float64 { return r.Peak }},
}

// plot writes the mean of each program's runs as bars.
func (p *report) plot(file string) error {
	var names []string
	runs := map[string][]result{}
	for _, r := range p.Results {
		if runs[r.Name] == nil {
			names = append(names, r.Name)
		}
		runs[r.Name] = append(runs[r.Name], r)
	}
	const left, width, bar, gap = 260, 420, 22, 34
	var b strings.Builder
	y := 10
	for _, g := range plotted {
		y += gap
		fmt.Fprintf(&b, "<text x=\"10\" y=\"%d\" font-weight=\"bold\">%s</text>\n", y, g.title)
		means, top := make([]float64, len(names)), 0.0
		for i, n := range names {
			for _, r := range runs[n] {
				means[i] += g.of(r) / float64(len(runs[n]))
			}
			top = max(top, means[i])
		}
		for i, n := range names {
			y += bar
			w := 0.0
			if top > 0 {
				w = means[i] / top * width
			}
			fmt.Fprintf(&b, "<text x=\"10\" y=\"%d\">%s</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/><text x=\"%.0f\" y=\"%d\">%s</text>\n",
				y, n, left, y-13, w, bar-6, []string{"#2b6cb0", "#c05621", "#718096"}[i%3], left+w+6, y, short(means[i]))
		}
	}
	svg := fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"780\" height=\"%d\" font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n%s</svg>\n", y+20, b.String())
	return os.WriteFile(file, []byte(svg), 0o644)
}

// short is a figure with three digits that count.
func short(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
