package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// compareFiles prints the medians of reports side by side with ratios to the first label, and the
// change of figures with the number of subscribers. It writes the picture to a file unless that is empty.
func compareFiles(w io.Writer, files []string, picture string) error {
	groups, err := readGroups(files)
	if err != nil {
		return err
	}
	if picture != "" && len(labels(groups)) < 2 {
		return errOneLabel
	}
	if err := compareGroups(w, groups); err != nil {
		return err
	}
	return writeFile("picture", picture, func(w io.Writer) error { return writeComparison(w, groups) })
}

func compareGroups(w io.Writer, groups []*group) error {
	fmt.Fprintln(w, groups[0].reports[0].Machine)
	for _, n := range subscriberCounts(groups) {
		if err := compareAt(w, groups, n); err != nil {
			return err
		}
	}
	return compareGrowth(w, groups)
}

// compareAt prints the table of one number of subscribers.
func compareAt(w io.Writer, groups []*group, subscribers int) error {
	names := labels(groups)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\n%s subscribers\t", number(float64(subscribers)))
	for i, name := range names {
		runs := 0
		if g := findGroup(groups, name, subscribers); g != nil {
			runs = len(g.reports)
		}
		fmt.Fprintf(t, "%s (of %d)\t", name, runs)
		if i > 0 {
			fmt.Fprint(t, "ratio\t")
		}
	}
	fmt.Fprintln(t)
	for _, f := range figures {
		first, known := findGroup(groups, names[0], subscribers).median(f)
		fmt.Fprintf(t, "%s\t", f.name)
		for i, name := range names {
			v, ok := findGroup(groups, name, subscribers).median(f)
			fmt.Fprintf(t, "%s\t", cell(f.format, v, ok))
			if i > 0 {
				fmt.Fprintf(t, "%s\t", cell("%.2f", v/first, ok && known && first != 0 && !f.noRatio))
			}
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// cell formats a value, or returns a dash if there is none.
func cell(format string, v float64, ok bool) string {
	if !ok {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

// compareGrowth prints what a subscriber and a delivery cost at the smallest and at the largest
// number of subscribers, if there are two.
func compareGrowth(w io.Writer, groups []*group) error {
	ns := subscriberCounts(groups)
	if len(ns) < 2 {
		return nil
	}
	least, most := ns[0], ns[len(ns)-1]
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\ngrowth\t%d\t%d\tchange\t\n", least, most)
	for _, name := range labels(groups) {
		for _, f := range []figure{idleBytes, cpuPerDelivery} {
			a, okA := findGroup(groups, name, least).median(f)
			b, okB := findGroup(groups, name, most).median(f)
			fmt.Fprintf(t, "%s: %s\t%s\t%s\t%s\t\n", name, f.name, cell(f.format, a, okA), cell(f.format, b, okB),
				cell("%+.0f %%", 100*(b/a-1), okA && okB))
		}
	}
	return t.Flush()
}
