package queue

import (
	"maps"
	"slices"
)

// spread decides which free destinations a gateway is to acquire and which of its own
// it is to give up, so that the numbers of destinations of any two gateways differ by
// at most one. gateways are the living ones, each with the destinations in its
// configuration; holders has the gateway that holds each destination. All gateways
// decide from the same rows, and so come to the same result.
func spread(self string, gateways map[string][]string, holders map[string]string) (acquire, giveUp []string) {
	able := make(map[string][]string) // by destination, the gateways that have it
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
