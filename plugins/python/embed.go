// Package python holds the Python SDK, for a program that starts a new plugin: the package postcall of src/, and the
// project of template/.
package python

import "embed"

// SDK is what pip needs to install the package postcall-plugin: pyproject.toml, README.md and src/postcall. A new project
// has it in its folder sdk.
//
//go:embed pyproject.toml README.md src/postcall/*.py src/postcall/*.pyi src/postcall/py.typed src/postcall/golden.binpb.gz
var SDK embed.FS

// Template is a project, in the folder template: a plugin with its tests, its requirements and a Makefile. The name
// my-plugin stands for that of the plugin, in every file. The file gitignore becomes .gitignore.
//
//go:embed template/*.py template/*.txt template/README.md template/Makefile template/gitignore
var Template embed.FS
