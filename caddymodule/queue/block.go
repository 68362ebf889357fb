package queue

// blockEvents is the number of sequence numbers in a block of the log. Block b has
// those from b*blockEvents+1 to (b+1)*blockEvents.
const blockEvents = 256

// blockOf returns the block of the log to which an event belongs.
func blockOf(seq int64) int64 { return (seq - 1) / blockEvents }
