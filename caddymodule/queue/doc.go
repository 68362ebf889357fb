// Package queue persists accepted events and delivers each to its destinations at least
// once: in an SQLite file, or in a PostgreSQL database that any number of gateways share.
//
// # The log
//
// Events are a log, webhooks_events. The lock on the one row of webhooks_queue makes the
// order of commits the order of numbers, so no reader ever passes a number that is still
// to be committed. Duplicates leave holes. Numbers are used again only if a failover
// loses the events that had them.
//
// An event is new if its key is not in webhooks_keys, or if the window of that key has
// ended. The key is written in the same transaction as the event, so that of any number
// of copies, on any number of gateways, exactly one is stored. Keys outlive their events:
// when an event is removed before its window ends, webhooks_expired_keys remembers when
// to remove its key.
//
// The HTTP request that brought an event is stored with it; if it brought several, once,
// in webhooks_requests.
//
// # Positions and deferred deliveries
//
// Each destination has a position in the log. Up to it, every event that the destination
// takes is settled or deferred. A deferred delivery is a row in webhooks_deliveries, with
// a state, the number of attempts, and the time of the next one. A delivery that succeeds
// at once has no row, so a healthy destination costs one update of its position for many
// events. A row that exists wins over the position: an event above the position that has
// a row is not read from the log again.
//
// begun, beside the position, is the last event of which an attempt may have begun. After
// a crash, events between the two count one attempt.
//
// Gaps are ranges of the log to which the filter of a destination does not apply: no
// configuration had its name then, or it had another source. A new destination begins at
// the end of the log. One that leaves keeps its backlog and opens a gap, which is closed
// when it returns.
//
// # Filters
//
// A filter selects events by their source, their types and conditions on their
// envelopes. The present one decides about all events of the log, also about those before
// the position: whether an event was delivered under an earlier one is not recorded, apart
// from attempts.
//
// Sources and types are columns. Conditions need the body, which a worker has at hand.
// Whatever else asks which events a destination takes (status, searches, replays and
// retention) finds those that it may take by the columns first, and reads the bodies of
// these only if there are conditions. The verdicts are remembered in memory, two bits for
// each event, for the era: a number belongs to one event within it.
//
// # What is remembered of attempts
//
// The commit that settles attempts also records them in webhooks_attempts, many to a
// row: those of one destination at the events of one block of the log, a fixed range of
// numbers. So one read finds all attempts at an event, and the log has no column or
// index for them. Like progress, they have no effect under a lease that was lost, and
// a crash loses those that were not committed. An event that becomes a dead letter
// without another attempt, because a crash used up the last one, has none for that.
//
// A discarded dead letter leaves no row in webhooks_deliveries, as a delivered event
// does. They differ in the last recorded attempt, which made it a dead letter.
// A dead letter whose last attempt is not recorded, or not any more, looks delivered
// once it is discarded.
//
// The latest results of a destination are written with its position.
//
// Attempts are removed when they ended before retention, or when their block has no
// event left. They take at most a tenth of the queue's size, in addition to it; above
// that, the oldest rows are removed.
//
// # Duplicates
//
// webhooks_keys counts how often the event of a key came again. The writer keeps the
// counts in memory and adds them to a commit once a second, those of some hundred keys
// at a time, so that duplicates cost no transaction of their own. A crash loses the
// counts of the last second, or of the last seconds after duplicates of thousands of
// keys; duplicates of more keys than fit in memory are dropped without being counted.
// An event that takes a key whose window has ended begins at 0.
//
// # The index
//
// webhooks_index has a row for each full block of the log, with hashes of the attributes
// of its events. One goroutine writes it, after the events. A search reads all rows from
// the newest on, which takes some 10 ms for a million events, and compares the events
// that may match with their rows in webhooks_events: the index need not be right, only
// complete. A block without a row, or with a damaged one, is read from the log.
//
// # Logs and layouts
//
// A queue is one or more logs. Each has all tables, in a schema of its own, and its own
// writer, leases, clock and index. Log 0 is in the schema that the first DSN leads to, log i
// in the schema beside it that ends with _webhooks_i, at whichever server has that schema;
// see survey. webhooks_identity says which log of which queue a schema is.
//
// A layout is an epoch and a number of logs, over which 4096 slots are spread. The slot of
// an event is a hash of its source and its partition key, or else of its key, so that one
// log has all events of a partition key. All logs have the row of a layout, except the
// first one, in webhooks_layouts, with the end that the log had when the layout began there.
// Every store names the epoch under which it was routed, and a log with another epoch takes
// nothing: errMoved has the events routed again.
//
// A request's events are committed by their logs at the same time. If a log does not
// commit, the request fails, and its repeat completes it.
//
// Duplicates are found if they are in the same log. With dedup strict, a place is committed
// before an event is stored: which log has the event of a key. It is in the log of a hash
// of the key, so that copies with different partition keys meet there.
//
// The workers of a destination at a gateway, one for each log, share a pool: how many
// attempts they may make at a time, the rate, and the health of the destination. Each lease
// brings the part of its log to it. The parts of all logs add up to what is configured,
// whichever gateways have the leases. A log without a part is worked by the gateway that
// works its leader.
//
// # Switches
//
// A switch brings a queue from one layout to the next. It is noted in log 0; it creates the
// logs that are missing; the layout begins in all other logs, and in log 0 last; each log
// gets the destinations of log 0; and each notes that the layout is complete. Gateways use a
// layout from then on. Each step may be repeated: if the gateway that switches dies, any
// other one goes on where it was. A log that a failover has set back to an earlier layout
// gets the present one again. A switch waits until all servers answer.
//
// The greatest number of logs wins that a living gateway is configured with; only a gateway
// that opens the queue lowers it. Logs that have lost their slots stay open until they are
// empty and another switch leaves them out.
//
// After a switch, the log that had a slot is asked for the keys whose windows have not
// ended. It gets no event of the slot any more, so that a key that is not there does not
// come later. An ordered destination does not read past the end that its log had at the
// switch before it has passed the ends of the logs that gave slots to this one, and has no
// deferred delivery there that later events of its key must wait for.
//
// From the first switch on, a program whose schema knows one log only can neither store
// events nor renew its leases: two constraints fail.
//
// # Who writes
//
// One goroutine of each log, the writer, commits: whatever is waiting, in one transaction.
// One goroutine per log and destination, the worker, reads ahead and decides; its state
// belongs to it alone. Attempts run in goroutines of their own and report to the worker. See
// delivery for the life of a delivery, and worker.step for the order of things.
//
// In SQLite, a commit appends to the WAL. Another goroutine copies the WAL into the file
// in steps and syncs that. Answers wait for it only if it falls far behind; see
// checkpointer.
//
// # Leases and eras
//
// Each gateway renews a lease in webhooks_gateways of each log every second. A destination
// is worked by the gateway in its row, until that gateway's lease has ended; see spread for
// which gateway works which in which log. The lease number of a destination grows each
// time that a gateway acquires it. Progress names the number under which it was made, and has no effect under
// another one. So a gateway that was cut off may repeat attempts, but never moves a
// position, settles an event or counts an attempt.
//
// An era is a period in which a gateway renews its lease in time, at a server with one
// history. PostgreSQL's timeline names that history. A new timeline ends the era, and
// with it all attempts, reads and leases of the old one; a server with an older timeline
// than one seen before is refused. A new layout ends the era once the leases of the old one
// are handed back, and nobody acquires one under it as long as a gateway may still have one
// of before: parts of two layouts must not add up. In SQLite there is one era and one
// holder: locks on the file keep other processes out.
//
// # What is promised
//
// Store returns without an error only after the events are on disk, and a crash at any
// moment loses none of them. Each event that a destination takes is delivered, or becomes
// a dead letter that is kept until retention ends. Undelivered events do not expire: if
// they fill the queue, Store returns ErrFull. An event never gets more attempts than
// configured, except by a replay. When ordered, no event is tried while an older one of
// its partition key is undelivered and not dead. All gateways together never make more
// attempts at a time than configured.
//
// # What is not promised
//
// Delivery is at least once. An attempt is repeated if it was under way when the process
// died, if its result was not written yet (see commitInterval), or if it was cut short.
// Without ordered, order is only likely. An asynchronous standby lacks what the primary
// had not sent; if it is promoted, those events are lost, and with them their keys.
package queue
