package queue

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// slots is the number of slots that keys are spread over. A log has a range of them.
const slots = 4096

// layout is how an epoch spreads the slots over logs. It is never changed, only replaced.
type layout struct {
	epoch int64
	logs  int // the slots are spread evenly over the logs from 0 to logs - 1
	total int // logs that existed when the epoch began: each brings its part of concurrency and rate
	past  []pastLayout
}

// pastLayout is a layout that another one has replaced, with what its logs held at the
// switch. Logs that the switch added are not in it.
type pastLayout struct {
	epoch int64
	logs  int
	until []int64 // by log: when the last window of its keys and places ends, by its server's clock
	last  []int64 // by log: its end
}

// logOf returns the log that has a slot.
func (l *layout) logOf(slot int) int { return slot * l.logs / slots }

// logOf returns the log that had a slot.
func (p *pastLayout) logOf(slot int) int { return slot * p.logs / slots }

// isPlain reports whether the queue has had one log from the beginning.
func (l *layout) isPlain() bool { return l.logs == 1 && len(l.past) == 0 }

// Each kind of hash has its own byte, so that no two of them collide.
const (
	byPartition = 0
	byKey       = 1
	byPlace     = 2
)

// slotOf returns the slot of an event: that of its partition key, so that one log has the
// order of the key's events, or else that of its own key.
func slotOf(e *Event) int {
	hashed := append(make([]byte, 0, 256), e.Source...)
	if e.PartitionKey == "" {
		return slotOfBytes(append(append(hashed, byKey), e.Key[:]...))
	}
	return slotOfBytes(append(append(hashed, byPartition), e.PartitionKey...))
}

// placeSlot returns the slot of the place of a key.
func placeSlot(key envelope.Key) int {
	return slotOfBytes(append([]byte{byPlace}, key[:]...))
}

func slotOfBytes(b []byte) int {
	sum := sha256.Sum256(b)
	return int(binary.BigEndian.Uint16(sum[:])) % slots
}

// route returns the log of each event, by the slots of a layout. A copy of an event that
// comes in the same request goes where the first one goes, so that it is a duplicate
// there.
func (l *layout) route(events []*Event) []int {
	logs := make([]int, len(events))
	if l.logs == 1 {
		return logs
	}
	var first map[envelope.Key]int
	if len(events) > 1 {
		first = make(map[envelope.Key]int, len(events))
	}
	for i, e := range events {
		log, isCopy := first[e.Key]
		if !isCopy || e.Window == 0 {
			log = l.logOf(slotOf(e))
		}
		if first != nil && !isCopy {
			first[e.Key] = log
		}
		logs[i] = log
	}
	return logs
}
