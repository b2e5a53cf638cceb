package main

import "github.com/spf13/cobra"

func pluginCommand() *cobra.Command {
	c := groupCommand("plugin", "Start, check, list and lock plugins", pluginNewCommand(), pluginCheckCommand(), pluginListCommand(), pluginLockCommand(),
		pluginInstallCommand())
	c.Long = `A plugin is a program of its own that postcall starts and calls with batches of events: it may change an event, drop it,
hold it back, or split it. The plugins of POSTCALL_TRANSFORMS are in POSTCALL_PLUGIN_DIR, each an executable file, or a folder
with an executable of its own name.`
	c.Example = `  postcall plugin new drop-short --lang go     a project that builds and passes its tests at once
  cd drop-short && make test build
  postcall plugin test dist/drop-short         does it keep to what postcall expects of any plugin?
  postcall plugin list                         what is installed, and how it does
  postcall plugin lock                         from now on serve starts these plugins and no others`
	return c
}
