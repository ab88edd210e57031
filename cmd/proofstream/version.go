package main

import (
	"runtime/debug"

	"proofstream/api"
)

// thisBuild returns the version and revision that the go command stamped into the program. The revision ends in
// "+changes" if the working tree had changes that were not committed.
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
