package queue

import (
	"math"
	"sync"
	"sync/atomic"
)

// budget is the size of a queue: what its logs take together, as far as this gateway has
// read, and what they may take.
type budget struct {
	limit atomic.Int64 // for bytes
	bytes atomic.Int64 // that the events of all logs take

	dead     quota // what dead letters take
	attempts quota // what attempts take
}

// pressure is the number of bytes above which delivered events make room, whatever their
// age: 90 % of the size.
func (b *budget) pressure() int64 { return b.limit.Load() / 10 * 9 }

// quota is a part of the size that one kind of data may take in all logs together.
type quota struct {
	mu   sync.Mutex
	used map[int]int64 // by log, as this gateway has counted it last
}

// excess notes how many bytes a log uses, and returns how many of them have to go so that
// all logs together use at most limit. Each log gives up the same part of what it uses,
// so that gateways that sweep different logs at the same time do not remove too much.
func (q *quota) excess(log int, used, limit int64) int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.used == nil {
		q.used = make(map[int]int64)
	}
	q.used[log] = used
	total := int64(0)
	for _, n := range q.used {
		total += n
	}
	if total <= limit {
		return 0
	}
	return int64(math.Ceil(float64(total-limit) * (float64(used) / float64(total))))
}
