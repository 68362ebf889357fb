package queue

// latest are the latest results of a destination. Times are microseconds since 1970, 0
// for none.
type latest struct {
	delivered   int64  // when the last attempt that succeeded ended
	failed      int64  // when the last attempt that failed ended
	failedSince int64  // when the first of the failures in a row began
	status      int    // of the last answer that failed
	text        string // why the last attempt failed
}

// note notes an attempt that has ended. One that was cut short has not failed, and one
// that was refused for good shows that the destination works.
func (l *latest) note(s *store, f finished, outcome Outcome) {
	began := s.micros(f.begun)
	ended := began + f.took.Microseconds()
	switch {
	case f.cut:
		return
	case outcome == OutcomeDelivered:
		l.delivered, l.failedSince = ended, 0
		return
	case f.result.isDefinite():
		l.failedSince = 0
	case l.failedSince == 0:
		l.failedSince = began
	}
	l.failed, l.status, l.text = ended, f.result.Status, f.result.text()
}

// addLatest adds the latest results.
func (s *DestinationStatus) addLatest(l *latest, c *clock) {
	s.LastDelivered, s.LastFailed, s.FailedSince = c.timeOrZero(l.delivered), c.timeOrZero(l.failed), c.timeOrZero(l.failedSince)
	s.LastStatus, s.LastError = l.status, l.text
}
