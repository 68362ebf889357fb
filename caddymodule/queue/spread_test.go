package queue

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// viewsOf returns the views of logs 0, 1 and so on that all gateways live in: "a: 1 2" is
// a gateway with the destinations that it is configured with, "1=a" the gateway that
// works one, and " | " separates the logs.
func viewsOf(gateways, holders string) map[int]logView {
	views := make(map[int]logView)
	for log, text := range strings.Split(holders, " | ") {
		view := logView{living: make(map[string][]string), holders: make(map[string]string)}
		for _, gateway := range strings.Split(gateways, "; ") {
			name, names, _ := strings.Cut(gateway, ": ")
			view.living[name] = strings.Fields(names)
		}
		for _, holder := range strings.Fields(text) {
			name, gateway, _ := strings.Cut(holder, "=")
			view.holders[name] = gateway
		}
		views[log] = view
	}
	return views
}

// text returns "1" for a unit in log 0, and "1/2" for one in log 2.
func (u unit) text() string {
	if u.log == 0 {
		return u.name
	}
	return fmt.Sprint(u.name, "/", u.log)
}

// TestSpread shows what each gateway acquires and gives up.
func TestSpread(t *testing.T) {
	for _, c := range []struct {
		name, gateways, holders string
		want                    string // "+1" is acquired, "-1" given up
	}{
		{"alone", "a: 1 2 3", "1= 2= 3=", "a: +1 +2 +3"},
		{"together", "a: 1 2 3 4; b: 1 2 3 4", "1= 2= 3= 4=", "a: +1 +3; b: +2 +4"},
		{"even", "a: 1 2 3; b: 1 2 3", "1=a 2=a 3=b", ""},
		{"one joins", "a: 1 2 3 4; b: 1 2 3 4", "1=a 2=a 3=a 4=a", "a: -1 -2"},
		{"one joins two", "a: 1 2 3 4 5 6; b: 1 2 3 4 5 6; c: 1 2 3 4 5 6", "1=a 2=a 3=a 4=b 5=b 6=b", "a: -1; b: -4"},
		{"four at three", "a: 1 2 3 4; b: 1 2 3 4; c: 1 2 3 4", "1=a 2=a 3=b 4=b", "a: -1"},
		{"one has died", "a: 1 2 3; b: 1 2 3", "1=a 2=b 3=gone", "a: +3"},
		{"one has died that had most", "a: 1 2 3 4 5 6; b: 1 2 3 4 5 6", "1=a 2=b 3=gone 4=gone 5=gone 6=gone", "a: +3 +5; b: +4 +6"},
		{"one has names of its own", "a: 1 2 3 4; b: 1 2 5", "1= 2= 3= 4= 5=", "a: +1 +3 +4; b: +2 +5"},
		{"no other gateway may have them", "a: 1 2 3 4; b: 1", "1=a 2=a 3=a 4=a", "a: -1"},
		{"it has left the configuration", "a: 2; b: 1 2", "1=a 2=a", "a: -2"},
		{"no gateway is configured with it", "a: 1", "1=a 2=gone", ""},
		{"one destination in four logs", "a: 1; b: 1; c: 1", "1= | 1= | 1= | 1=", "a: +1 +1/3; b: +1/1; c: +1/2"},
		{"at rest in four logs", "a: 1; b: 1; c: 1", "1=c | 1=a | 1=b | 1=a", ""},
		{"one joins in four logs", "a: 1; b: 1", "1=a | 1=a | 1=a | 1=a", "a: -1 -1/1"},
		{"one has died in four logs", "a: 1; b: 1", "1=gone | 1=a | 1=gone | 1=b", "a: +1; b: +1/2"},
		{"a follower is no unit", "a: 1; b: 1", "1=a |  | 1= | ", "b: +1/2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			views := viewsOf(c.gateways, c.holders)
			var got []string
			for _, gateway := range slices.Sorted(maps.Keys(views[0].living)) {
				acquire, giveUp := spread(gateway, views)
				text := gateway + ":"
				for _, u := range acquire {
					text += " +" + u.text()
				}
				for _, u := range giveUp {
					text += " -" + u.text()
				}
				if len(acquire)+len(giveUp) > 0 {
					got = append(got, text)
				}
			}
			if got := strings.Join(got, "; "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestSpreadSettles shows that gateways which decide by themselves come to rest, each
// with as much to do as the others, or one more.
func TestSpreadSettles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		living := make(map[string][]string)
		var names []string
		for n := range random.IntN(40) {
			names = append(names, fmt.Sprint(n))
		}
		for n := range 1 + random.IntN(6) {
			living[fmt.Sprint(n)] = names
		}
		views := make(map[int]logView)
		units := 0
		for log := range 1 + random.IntN(8) {
			views[log] = logView{living: living, holders: make(map[string]string)}
			for _, name := range names {
				if random.IntN(4) > 0 { // else it is a follower
					views[log].holders[name] = fmt.Sprint(random.IntN(8)) // some are gone
					units++
				}
			}
		}
		moves := 0
		for round := 0; ; round++ {
			if round > 2 {
				t.Fatalf("no rest: %v", views)
			}
			isAtRest := true
			after := maps.Clone(views)
			for log, view := range views {
				view.holders = maps.Clone(view.holders)
				after[log] = view
			}
			for gateway := range living {
				acquire, giveUp := spread(gateway, views)
				for _, u := range giveUp {
					after[u.log].holders[u.name] = ""
				}
				for _, u := range acquire {
					after[u.log].holders[u.name] = gateway
				}
				moves += len(giveUp)
				isAtRest = isAtRest && len(acquire)+len(giveUp) == 0
			}
			if isAtRest {
				break
			}
			views = after
		}
		held := make(map[string]int)
		for _, view := range views {
			for _, gateway := range view.holders {
				held[gateway]++
			}
		}
		for gateway := range living {
			if n := held[gateway]; n < units/len(living) || n > (units-1)/len(living)+1 {
				t.Errorf("%d of %d units at one of %d gateways", n, units, len(living))
			}
		}
		if moves > units {
			t.Errorf("%d moves of %d units", moves, units)
		}
	}
}

// TestFleet has gateways join, leave and die under load. Names are spread evenly
// within 10 s, no event comes twice where nothing crashed, and the order holds.
func TestFleet(t *testing.T) {
	t.Parallel()
	const names = 6
	dsn := sharedServer.database(t)
	var destinations []Destination
	var applications []*prefixes
	for n := range names {
		p := &prefixes{t: t, first: make(map[string]int), running: make(map[string]bool), delivered: make(map[int]bool)}
		p.answer = slow(2 * time.Millisecond)
		applications = append(applications, p)
		destinations = append(destinations, ordered(fmt.Sprint("d", n), p.deliver))
	}
	line, through := pgProxy(t, dsn)
	gateways := []*gateway{start(t, postgresSettings(t, dsn), destinations...)}
	n := 0
	spreads := func(what string, gateways ...*gateway) {
		t.Helper()
		begun := time.Now()
		even := func() bool {
			for _, e := range newEventsFrom(&n, 20) {
				gateways[n%len(gateways)].keep(t, e)
			}
			total := 0
			for _, g := range gateways {
				here := 0
				for i := range names {
					if g.status(t, fmt.Sprint("d", i)).Here {
						here++
					}
				}
				total += here
				if here < names/len(gateways) || here > (names-1)/len(gateways)+1 {
					return false
				}
			}
			return total == names
		}
		eventually(t, what, even)
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("%s: the names are spread after %s", what, took)
		} else {
			t.Logf("%s: the names are spread after %s", what, took.Round(10*time.Millisecond))
		}
	}
	spreads("one", gateways...)
	gateways = append(gateways, start(t, quietly(postgresSettings(t, through)), destinations...))
	spreads("a second one", gateways...)
	gateways = append(gateways, start(t, postgresSettings(t, dsn), destinations...))
	spreads("a third one", gateways...)
	gateways[0].stop(t)
	gateways = gateways[1:]
	spreads("one has left", gateways...)
	gateways[1].drain(t, "d0")
	for i, p := range applications {
		eventually(t, "that all events come", func() bool { return len(p.counts()) == n })
		gateways[1].drain(t, fmt.Sprint("d", i))
		p.wantEachOnce(t, n)
	}
	line.Stick(true)
	spreads("one has died", gateways[1])
	line.Stick(false)
	spreads("it is back", gateways...)
	for _, p := range applications {
		eventually(t, "that all events come", func() bool { return len(p.counts()) == n })
	}
}

// newEventsFrom returns the next events, of ten keys in turn.
func newEventsFrom(next *int, count int) (events []*Event) {
	for range count {
		events = append(events, newEvent(fmt.Sprint(*next), fmt.Sprint("key-", *next%10)))
		*next++
	}
	return events
}
