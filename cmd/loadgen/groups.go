package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
)

// group has the reports of one label and number of subscribers: repetitions of one measurement.
type group struct {
	label       string
	subscribers int
	reports     []*Report
}

// readGroups reads reports that -json has written, in the order of files.
func readGroups(files []string) ([]*group, error) {
	var groups []*group
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read a report: %w", err)
		}
		r := &Report{}
		if err := json.Unmarshal(b, r); err != nil || r.Tool != "loadgen" {
			return nil, fmt.Errorf("%s is not a report of loadgen; write one with -json FILE", file)
		}
		at := slices.IndexFunc(groups, func(g *group) bool { return g.label == r.name() && g.subscribers == r.Subscribers })
		if at < 0 {
			at = len(groups)
			groups = append(groups, &group{label: r.name(), subscribers: r.Subscribers})
		}
		groups[at].reports = append(groups[at].reports, r)
	}
	return groups, nil
}

// labels returns the distinct labels in the order of groups.
func labels(groups []*group) []string {
	var list []string
	for _, g := range groups {
		if !slices.Contains(list, g.label) {
			list = append(list, g.label)
		}
	}
	return list
}

// subscriberCounts returns the distinct numbers of subscribers, ascending.
func subscriberCounts(groups []*group) []int {
	set := map[int]bool{}
	for _, g := range groups {
		set[g.subscribers] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// findGroup returns nil if there is no such group.
func findGroup(groups []*group, label string, subscribers int) *group {
	for _, g := range groups {
		if g.label == label && g.subscribers == subscribers {
			return g
		}
	}
	return nil
}

// median returns the median over the reports that have the figure, for an even number of them the
// lower one of the middle two. It returns false for a nil group or if no report has the figure.
func (g *group) median(f figure) (float64, bool) {
	if g == nil {
		return 0, false
	}
	var values []float64
	for _, r := range g.reports {
		if v, ok := f.value(r); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return 0, false
	}
	slices.Sort(values)
	return values[(len(values)-1)/2], true
}
