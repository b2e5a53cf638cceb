package connector

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// The markers between which README.md holds the table that WriteConfigTable writes as "markdown".
const (
	ConfigTableBegin = "<!-- config:begin -->"
	ConfigTableEnd   = "<!-- config:end -->"
)

// WriteConfigTable writes every variable with its type, default and meaning: as "text" in columns, as "json" or as
// "markdown".
func WriteConfigTable(w io.Writer, format string) error {
	vars := variables(&Config{})
	switch format {
	case "text":
		return writeConfigText(w, vars)
	case "json":
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(vars)
	case "markdown":
		return writeConfigMarkdown(w, vars)
	}
	return fmt.Errorf("no format %q for the table of variables: choose of text, json, markdown", format)
}

// ConfigTable returns the table as text.
func ConfigTable() string {
	var b strings.Builder
	_ = WriteConfigTable(&b, "text") // a Builder takes everything
	return b.String()
}

// describe says what a secret has that other variables have not.
func (v *variable) describe() string {
	if v.Secret {
		return v.Meaning + " (or " + v.Key + "_FILE: its file)"
	}
	return v.Meaning
}

func writeConfigText(w io.Writer, vars []variable) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "VARIABLE\tTYPE\tDEFAULT\tMEANING")
	for _, v := range vars {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", v.Key, v.Type, orDash(v.Default), v.describe())
	}
	return t.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func writeConfigMarkdown(w io.Writer, vars []variable) error {
	var b strings.Builder
	b.WriteString("| Variable | Type | Default | Meaning |\n|---|---|---|---|\n")
	for _, v := range vars {
		def := ""
		if v.Default != "" {
			def = "`" + v.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Key, v.Type, def, strings.ReplaceAll(v.describe(), "|", `\|`))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
