package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

// With PROOF_LOG_FORMAT=json, durations are numbers of seconds.
func TestLogForMachinesHasDurationsInSeconds(t *testing.T) {
	var log bytes.Buffer
	newLogger(Config{LogFormat: "json"}, &log).Info("stopping", "grace", 1500*time.Millisecond, "subscribers", 3)
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil || line["grace"] != 1.5 || line["subscribers"] != 3.0 || line["msg"] != "stopping" {
		t.Errorf("got %s, %v", log.String(), err)
	}
}
