package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	bomType   types.MediaType = "application/vnd.cyclonedx+json"
	emptyType types.MediaType = "application/vnd.oci.empty.v1+json"
)

// part is what the image of one platform is made of.
type part struct {
	platform v1.Platform
	image    v1.Image
	bom      []byte // CycloneDX
}

// labels say in the image, and as annotations of its manifests, what it is.
func (r *release) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "postcall",
		"org.opencontainers.image.description": "Loads post-call events of AI voice agents into ClickHouse and Elasticsearch",
		"org.opencontainers.image.version":     r.version,
		"org.opencontainers.image.revision":    r.commit,
		"org.opencontainers.image.created":     r.created.Format(time.RFC3339),
		"org.opencontainers.image.source":      "https://github.com/postcall/postcall",
		"org.opencontainers.image.licenses":    "Apache-2.0",
	}
}

func (r *release) part(p v1.Platform, dir string, base v1.Layer) (part, error) {
	files, err := programs(dir)
	if err != nil {
		return part{}, err
	}
	layer, err := r.programLayer(files)
	if err != nil {
		return part{}, err
	}
	made := part{platform: p}
	if made.bom, err = r.bom(files); err != nil {
		return part{}, err
	}
	made.image, err = r.image(p, base, layer)
	return made, err
}

func (r *release) image(p v1.Platform, layers ...v1.Layer) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.ConfigFile(img, &v1.ConfigFile{
		OS: p.OS, Architecture: p.Architecture, Created: v1.Time{Time: r.created}, Author: "postcall",
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User:         fmt.Sprintf("%d:%d", user, user),
			Entrypoint:   []string{"/" + programPath},
			Cmd:          []string{"serve"},
			WorkingDir:   "/",
			ExposedPorts: map[string]struct{}{"8080/tcp": {}, "9090/tcp": {}},
			Env:          []string{"PATH=/usr/local/bin:/usr/bin:/bin", "POSTCALL_DATA_DIR=/" + dataPath},
			Labels:       r.labels(),
		},
	})
	if err != nil {
		return nil, err
	}
	for i, layer := range layers {
		why := []string{"certificates, users and folders", "postcall and its plugins"}[i]
		history := v1.History{Created: v1.Time{Time: r.created}, CreatedBy: "deploy/image", Comment: why}
		if img, err = mutate.Append(img, mutate.Addendum{Layer: layer, History: history, MediaType: types.OCILayer}); err != nil {
			return nil, err
		}
	}
	return mutate.Annotations(img, r.labels()).(v1.Image), nil
}

// index lists the images, and behind them the SBOM of each. They stand in the same index, not beside it, so that the
// tarball has one entry and every tool loads it; the subject makes a registry list them as referrers of their image.
func (r *release) index(parts []part) (v1.ImageIndex, error) {
	idx := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var boms []mutate.IndexAddendum
	for _, p := range parts {
		desc, err := partial.Descriptor(p.image)
		if err != nil {
			return nil, err
		}
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: p.image, Descriptor: v1.Descriptor{Platform: &p.platform}})
		bom, err := r.attachment(p, desc)
		if err != nil {
			return nil, err
		}
		boms = append(boms, mutate.IndexAddendum{Add: bom, Descriptor: v1.Descriptor{
			Platform:     &v1.Platform{OS: "unknown", Architecture: "unknown"}, // so that nobody runs it
			ArtifactType: string(bomType),
			Annotations:  map[string]string{"org.opencontainers.image.title": "SBOM of " + p.platform.String()},
		}})
	}
	idx = mutate.AppendManifests(idx, boms...)
	return mutate.Annotations(idx, r.labels()).(v1.ImageIndex), nil
}

// attachment is a manifest whose only layer is the SBOM and whose subject is the image it is about.
func (r *release) attachment(p part, about *v1.Descriptor) (v1.Image, error) {
	layer := static.NewLayer(p.bom, bomType)
	blob, err := partial.Descriptor(layer)
	if err != nil {
		return nil, err
	}
	blob.Annotations = map[string]string{"org.opencontainers.image.title": r.file(p.platform) + ".cdx.json"}
	config := []byte("{}")
	sum, size, err := v1.SHA256(bytes.NewReader(config))
	if err != nil {
		return nil, err
	}
	notes := maps.Clone(r.labels())
	notes["org.opencontainers.image.title"] = "SBOM of postcall for " + p.platform.String()
	manifest, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: string(bomType), Annotations: notes,
		Config: v1.Descriptor{MediaType: emptyType, Digest: sum, Size: size}, Layers: []v1.Descriptor{*blob},
		Subject: &v1.Descriptor{MediaType: about.MediaType, Digest: about.Digest, Size: about.Size},
	})
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(artifact{manifest: manifest, config: config, layer: layer})
}

// artifact is a manifest that is given, with its blobs.
type artifact struct {
	manifest, config []byte
	layer            v1.Layer
}

// RawConfigFile returns the bytes of the config.
func (a artifact) RawConfigFile() ([]byte, error) { return a.config, nil }

// MediaType returns the manifest's.
func (a artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// RawManifest returns the bytes of the manifest.
func (a artifact) RawManifest() ([]byte, error) { return a.manifest, nil }

// LayerByDigest returns the only blob, or the config as the library asks for it.
func (a artifact) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if sum, _, err := v1.SHA256(bytes.NewReader(a.config)); err == nil && sum == h {
		return blob{a.config}, nil
	}
	return a.layer, nil
}

// blob is bytes as the library wants a layer.
type blob struct{ data []byte }

// Digest returns the checksum of the bytes.
func (b blob) Digest() (v1.Hash, error) {
	h, _, err := v1.SHA256(bytes.NewReader(b.data))
	return h, err
}

// Compressed returns the bytes: they are not compressed.
func (b blob) Compressed() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.data)), nil }

// Size returns their number.
func (b blob) Size() (int64, error) { return int64(len(b.data)), nil }

// MediaType returns that of an empty config.
func (b blob) MediaType() (types.MediaType, error) { return emptyType, nil }
