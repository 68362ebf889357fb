package queue

import (
	"maps"
	"slices"
)

// spread decides which unheld destinations a gateway is to acquire, and which of its
// own it is to give up, so that all gateways work as many as each
// other, or one more. gateways are the living ones, each with the destinations
// that it is configured with; holders tells who works a destination. All gateways
// decide alike, from the same rows.
func spread(self string, gateways map[string][]string, holders map[string]string) (acquire, giveUp []string) {
	able := make(map[string][]string) // by destination, who may work it
	held := make(map[string]int)
	for _, gateway := range slices.Sorted(maps.Keys(gateways)) {
		held[gateway] = 0
		for _, name := range gateways[gateway] {
			able[name] = append(able[name], gateway)
		}
	}
	least := func(name string) string {
		return slices.MinFunc(able[name], func(a, b string) int { return held[a] - held[b] })
	}
	current := make(map[string]string, len(holders))
	var free []string
	for _, name := range slices.Sorted(maps.Keys(holders)) {
		holder := holders[name]
		if _, isLiving := gateways[holder]; isLiving {
			current[name] = holder
			held[holder]++
		} else if len(able[name]) > 0 {
			free = append(free, name)
		}
	}
	for _, name := range free {
		gateway := least(name)
		held[gateway]++
		if gateway == self {
			acquire = append(acquire, name)
		}
	}
	names := slices.Sorted(maps.Keys(current))
	for {
		from, moved := "", ""
		for _, name := range names {
			// One that has left its holder's configuration is on its way already.
			if !slices.Contains(able[name], current[name]) {
				continue
			}
			if held[current[name]] >= held[least(name)]+2 && (from == "" || held[current[name]] > held[from]) {
				from, moved = current[name], name
			}
		}
		if moved == "" {
			return acquire, giveUp
		}
		to := least(moved)
		held[from]--
		held[to]++
		current[moved] = to
		if from == self {
			giveUp = append(giveUp, moved)
		}
	}
}
