package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// rootsModule is where the certificates come from.
const rootsModule = "golang.org/x/crypto/x509roots/fallback"

// bom lists, as CycloneDX, the programs of an image and the modules that are in them, by what Go wrote into the programs;
// besides them the certificates, which come from a module of this builder.
func (r *release) bom(files map[string]string) ([]byte, error) {
	top := cdx.Component{
		BOMRef: "pkg:golang/github.com/postcall/postcall@" + r.version, Type: cdx.ComponentTypeContainer, Name: "postcall", Version: r.version,
		PackageURL: "pkg:golang/github.com/postcall/postcall@" + r.version,
		Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
		Properties: &[]cdx.Property{{Name: "commit", Value: r.commit}},
	}
	modules := map[string]cdx.Component{}
	var apps []cdx.Component
	var needs []cdx.Dependency
	for _, name := range slices.Sorted(maps.Keys(files)) {
		app, deps, err := program(name, files[name], r.version, modules)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		apps = append(apps, app)
		needs = append(needs, cdx.Dependency{Ref: app.BOMRef, Dependencies: &deps})
	}
	roots, err := rootsComponent()
	if err != nil {
		return nil, err
	}
	modules[roots.BOMRef] = roots
	direct := []string{roots.BOMRef}
	for _, a := range apps {
		direct = append(direct, a.BOMRef)
	}
	needs = append([]cdx.Dependency{{Ref: top.BOMRef, Dependencies: &direct}}, needs...)
	for _, ref := range slices.Sorted(maps.Keys(modules)) {
		apps = append(apps, modules[ref])
	}
	b := cdx.NewBOM()
	b.Metadata = &cdx.Metadata{Timestamp: r.created.Format(time.RFC3339), Component: &top}
	b.Components, b.Dependencies = &apps, &needs
	var out bytes.Buffer
	if err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(b); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// program describes one program, adds its modules to the others and returns their references.
func program(name, file, version string, modules map[string]cdx.Component) (cdx.Component, []string, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil || info.Main.Path == "" {
		return cdx.Component{}, nil, errNoBuildInfo
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return cdx.Component{}, nil, err
	}
	deps := []string{addModule(modules, "std", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		deps = append(deps, addModule(modules, m.Path, m.Version))
	}
	slices.Sort(deps)
	return cdx.Component{
		BOMRef: "file:/" + name, Type: cdx.ComponentTypeApplication, Name: "/" + name, Version: version,
		Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: fmt.Sprintf("%x", sha256.Sum256(data))}},
	}, slices.Compact(deps), nil
}

func addModule(modules map[string]cdx.Component, path, version string) string {
	url := "pkg:golang/" + path + "@" + version
	modules[url] = cdx.Component{BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: url}
	return url
}

func rootsComponent() (cdx.Component, error) {
	self, ok := debug.ReadBuildInfo()
	if !ok {
		return cdx.Component{}, errNoBuildInfo
	}
	for _, m := range self.Deps {
		if m.Path == rootsModule {
			url := "pkg:golang/" + m.Path + "@" + m.Version
			return cdx.Component{BOMRef: url, Type: cdx.ComponentTypeData, Name: m.Path, Version: m.Version, PackageURL: url}, nil
		}
	}
	return cdx.Component{}, fmt.Errorf("this builder says nothing of %s: %w", rootsModule, errNoBuildInfo)
}
