package queue
import ("testing";"time";"fmt")
func TestDbg(t *testing.T) {
	s := testSettings(t)
	g := start(t, s)
	body := make([]byte, 1100)
	n := 0
	for range 200 {
		ev := make([]*Event, 500)
		for i := range ev { n++; ev[i] = newEvent(fmt.Sprint(n), "c"); ev[i].Body = body }
		g.keep(t, ev...)
	}
	g.stop(t)
	fmt.Println(sizeOf(t, s.File)/1e6, "MB")
	for range 2 {
	b := time.Now()
	g = start(t, s)
	fmt.Println("open", time.Since(b))
	g.stop(t)
	}
}
