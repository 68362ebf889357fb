package queue

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// unit is what one gateway works at a time: a destination in a log. A log that brings no
// attempts to the pool of a destination makes none: its leader's gateway works it, too.
type unit struct {
	name string
	log  int
}

func compareUnits(a, b unit) int {
	return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.log, b.log))
}

// logView is what a gateway has read of those that share a log.
type logView struct {
	read    time.Time
	living  map[string][]string // by gateway whose lease has not ended, the destinations in its configuration
	holders map[string]string   // by destination that is a unit in this log, the gateway that has the lease
}

// logViews are the views of all logs of a queue.
type logViews struct {
	mu    sync.Mutex
	byLog map[int]logView
}

// update replaces the view of a log, and returns those of all logs that are not too old:
// the others say nothing about who works a unit now.
func (v *logViews) update(log int, view logView) map[int]logView {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.byLog == nil {
		v.byLog = make(map[int]logView)
	}
	v.byLog[log] = view
	maps.DeleteFunc(v.byLog, func(_ int, other logView) bool { return view.read.Sub(other.read) > leaseTime })
	return maps.Clone(v.byLog)
}

// spread decides which free units a gateway is to acquire and which of its own it is to
// give up, so that the numbers of units of any two gateways differ by at most one. All
// gateways decide from the same rows, and so come to the same result.
func spread(self string, logs map[int]logView) (acquire, giveUp []unit) {
	able := make(map[unit][]string)  // the gateways that may work it
	current := make(map[unit]string) // the one that does
	held := make(map[string]int)
	var free []unit
	for log, view := range logs {
		for _, gateway := range slices.Sorted(maps.Keys(view.living)) {
			held[gateway] += 0
			for _, name := range view.living[gateway] {
				able[unit{name, log}] = append(able[unit{name, log}], gateway)
			}
		}
		for name, holder := range view.holders {
			u := unit{name, log}
			if _, isLiving := view.living[holder]; isLiving {
				current[u] = holder
				held[holder]++
			} else {
				free = append(free, u)
			}
		}
	}
	least := func(u unit) string {
		return slices.MinFunc(able[u], func(a, b string) int { return held[a] - held[b] })
	}
	slices.SortFunc(free, compareUnits)
	for _, u := range free {
		if len(able[u]) == 0 {
			continue
		}
		gateway := least(u)
		held[gateway]++
		if gateway == self {
			acquire = append(acquire, u)
		}
	}
	units := slices.SortedFunc(maps.Keys(current), compareUnits)
	for {
		from, moved := "", unit{}
		for _, u := range units {
			// One that has left its holder's configuration is on its way already.
			if !slices.Contains(able[u], current[u]) {
				continue
			}
			if held[current[u]] >= held[least(u)]+2 && (from == "" || held[current[u]] > held[from]) {
				from, moved = current[u], u
			}
		}
		if from == "" {
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
