package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
)

// group is all reports of one label at one number of subscribers: repetitions of the same thing.
type group struct {
	label       string
	subscribers int
	reports     []*Report
}

// readGroups reads reports written with -json. Labels keep the order in which they first come.
func readGroups(files []string) ([]*group, error) {
	var groups []*group
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read a report: %w", err)
		}
		r := &Report{}
		if err := json.Unmarshal(b, r); err != nil || r.Tool != "loadgen" {
			return nil, fmt.Errorf("%s is no report of loadgen; write one with -json FILE", file)
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

// labels returns the labels of groups in order; counts their numbers of subscribers, ascending.
func labels(groups []*group) []string {
	var list []string
	for _, g := range groups {
		if !slices.Contains(list, g.label) {
			list = append(list, g.label)
		}
	}
	return list
}

func counts(groups []*group) []int {
	set := map[int]bool{}
	for _, g := range groups {
		set[g.subscribers] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func find(groups []*group, label string, subscribers int) *group {
	for _, g := range groups {
		if g.label == label && g.subscribers == subscribers {
			return g
		}
	}
	return nil
}

// median returns the middle of what the figure gives for each report; reports that do not have it
// do not count. With an even number it is the lower of the two in the middle.
func (g *group) median(figure func(*Report) (float64, bool)) (float64, bool) {
	if g == nil {
		return 0, false
	}
	var values []float64
	for _, r := range g.reports {
		if v, ok := figure(r); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return 0, false
	}
	slices.Sort(values)
	return values[(len(values)-1)/2], true
}

// in returns a figure of the first phase of that name, idle or not: posts come with everybody
// connected and with one witness alone.
func in(name string, alone bool, figure func(*Phase) float64) func(*Report) (float64, bool) {
	return func(r *Report) (float64, bool) {
		for _, p := range r.Phases {
			if p.Name == name && (p.Subscribers == 1) == (alone || r.Subscribers == 1) {
				v := figure(p)
				return v, v != 0
			}
		}
		return 0, false
	}
}
