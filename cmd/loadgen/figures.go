package main

// figure is one row of a comparison.
type figure struct {
	name    string
	format  string
	value   func(*Report) (float64, bool) // false: the report does not have it
	noRatio bool                          // a ratio of two values has no meaning

	moreIsBetter bool // else less is
}

// figures has the rows of a comparison in their order.
var figures = []figure{
	{name: "resident at start, MB", format: "%.1f", noRatio: true, value: func(r *Report) (float64, bool) {
		return float64(r.StartBytes) / 1e6, r.StartBytes > 0
	}},
	idleBytes,
	cpuPerDelivery,
	{name: "p50 paced, ms", format: "%.1f", value: inPhase("paced", deliveryP50)},
	{name: "p99 paced, ms", format: "%.1f", value: inPhase("paced", deliveryP99)},
	{name: "burst deliveries/s", format: "%.0f", moreIsBetter: true, value: inPhase("burst", func(p *Phase) float64 { return p.DeliveriesRate })},
	{name: "burst p99, ms", format: "%.1f", value: inPhase("burst", deliveryP99)},
	{name: "connected in, s", format: "%.2f", value: inPhase(phaseConnect, duration)},
	{name: "posts/s, all connected", format: "%.0f", moreIsBetter: true, value: inPhase(phasePosts, postsRate)},
	{name: "posts/s, one connected", format: "%.0f", moreIsBetter: true, value: inObservedPosts(postsRate)},
	{name: "response p99, one connected, ms", format: "%.2f", value: inObservedPosts(responseP99)},
	{name: "resumed in, s", format: "%.2f", value: inPhase(phaseResume, duration)},
	{name: "p99 during churn, ms", format: "%.1f", value: inPhase("churn", deliveryP99)},
	{name: "all freed in, s", format: "%.2f", value: inPhase("drop", func(p *Phase) float64 { return p.FreedSeconds })},
	{name: "violations", format: "%.0f", noRatio: true, value: func(r *Report) (float64, bool) {
		return float64(r.Total.violations()), true
	}},
	{name: "generator CPU paced, %", format: "%.0f", noRatio: true, value: inPhase("paced", generatorCPU)},
	{name: "generator CPU burst, %", format: "%.0f", noRatio: true, value: inPhase("burst", generatorCPU)},
}

// These two are also compared between numbers of subscribers.
var (
	idleBytes = figure{name: "bytes / idle subscriber", format: "%.0f", noRatio: true,
		value: inPhase(phaseConnect, func(p *Phase) float64 { return p.BytesSubscriber })}
	cpuPerDelivery = figure{name: "CPU µs / delivery, paced", format: "%.2f", value: inPhase("paced", serverMicros)}
)

func duration(p *Phase) float64    { return p.Seconds }
func postsRate(p *Phase) float64   { return p.PostsRate }
func deliveryP50(p *Phase) float64 { return p.Latency.orZero().P50 }
func deliveryP99(p *Phase) float64 { return p.Latency.orZero().P99 }
func responseP99(p *Phase) float64 { return p.Response.orZero().P99 }

func serverMicros(p *Phase) float64 {
	if p.Server == nil {
		return 0
	}
	return p.Server.MicrosPerUnit
}

// generatorCPU is in percent of one core.
func generatorCPU(p *Phase) float64 {
	if p.Generator == nil {
		return 0
	}
	return 100 * p.Generator.CPUShare
}

// inPhase returns a figure of the first phase of that name that ran with all subscribers. A report
// whose value is 0 does not have it.
func inPhase(name string, value func(*Phase) float64) func(*Report) (float64, bool) {
	return func(r *Report) (float64, bool) {
		return firstPhase(r, value, func(p *Phase) bool { return p.Name == name && (p.Subscribers != 1 || r.Subscribers == 1) })
	}
}

// inObservedPosts returns a figure of the first posts phase with one subscriber.
func inObservedPosts(value func(*Phase) float64) func(*Report) (float64, bool) {
	return func(r *Report) (float64, bool) {
		return firstPhase(r, value, func(p *Phase) bool { return p.Name == phasePosts && p.Subscribers == 1 })
	}
}

func firstPhase(r *Report, value func(*Phase) float64, match func(*Phase) bool) (float64, bool) {
	for _, p := range r.Phases {
		if match(p) {
			v := value(p)
			return v, v != 0
		}
	}
	return 0, false
}
