package journal

// ring holds the newest values, up to a number. Each has a number that grows from 0.
type ring[T any] struct {
	values []T
	max    int64
	next   int64 // the number of the next value
	first  int64 // the number of the oldest value, or next
}

// add adds a value, and returns its number. The oldest one makes room for it.
func (r *ring[T]) add(value T) int64 {
	n := r.next
	if r.first+r.max == n {
		r.first++
	}
	if n < r.max {
		r.values = append(r.values, value)
	} else {
		r.values[n%r.max] = value
	}
	r.next++
	return n
}

// at returns the value with a number from first to next-1.
func (r *ring[T]) at(n int64) *T { return &r.values[n%r.max] }

// drop removes the oldest value.
func (r *ring[T]) drop() {
	var none T
	*r.at(r.first) = none
	r.first++
}
