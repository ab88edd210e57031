package main

import (
	"runtime/debug"

	"proofstream/api"
)

// thisBuild tells which program this is, from what the compiler noted in it.
func thisBuild() api.Build {
	b := api.Build{Version: "(devel)"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	changed := ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			b.Revision = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			changed = "+changes"
		}
	}
	b.Revision += changed
	return b
}
