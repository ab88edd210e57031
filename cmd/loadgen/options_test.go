package main

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
)

func pid() string { return strconv.Itoa(os.Getpid()) }

// TestBadCommandLinesSayWhatToDo would catch a message that does not say what to do.
func TestBadCommandLinesSayWhatToDo(t *testing.T) {
	cases := []struct {
		args, want string
		status     int
	}{
		{"", "pass -key, or set LOADGEN_KEY", 2},
		{"-key k -phases paced,sleep", `there is no phase "sleep"; choose from burst, churn, connect`, 2},
		{"-key k -phases ,", "-phases is empty; choose from", 2},
		{"-key k -subscribers 0", "-subscribers must be more than 0", 2},
		{"-key k -publishers 101", "at most 100", 2},
		{"-key k -pid x", "pass those of the server", 2},
		{"-key k -pid 999999999", "it must run on this Linux machine", 2},
		{"-key k report.json", "-compare reads reports", 2},
		{"-compare", "write them with -json", 2},
		{"-compare a.json -svg c.svg", "put flags before the reports", 2},
		{"-compare -json c.json a.json", "redirect standard output", 2},
		{"-key k -svg -", "name a file, like -svg latency.svg", 2},
		{"-key k -svg missing/c.svg", "name a file in an existing folder", 2},
		{"-key k -json .", "name a file in an existing folder", 2},
		{"-key k -url https://user:pass@news.example", "pass the address of the service itself, like https://news.example", 1},
		{"-key k -url https://news.example/proof/", "pass the address of the service itself, like https://news.example", 1},
		{"-compare options_test.go", "is not a report of loadgen; write one with -json", 1},
		{"-key k -url localhost:6009", "write it like http://localhost:6009", 1},
		{"-key k -url http://127.0.0.1:1", "start the service, or pass its address with -url", 1},
		{"-floor nowhere", "write it like 127.0.0.1:7000", 1},
	}
	for _, c := range cases {
		var stderr strings.Builder
		status := run(context.Background(), strings.Fields(c.args), func(string) string { return "" }, io.Discard, &stderr)
		if status != c.status || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("loadgen %s: status %d, %q; want %d and %q", c.args, status, stderr.String(), c.status, c.want)
		}
	}
}
