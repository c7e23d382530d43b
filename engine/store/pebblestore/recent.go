package pebblestore

import (
	"sync"
	"time"
)

// latest is what a further write of a payment has to know of it. It is not changed any more.
type latest struct {
	seq       int64
	createdAt time.Time
	writes    []place
	index     [][]byte // its changingKeys
}

func (k *kept) latest(index [][]byte) latest {
	return latest{seq: k.Seq, createdAt: k.CreatedAt, writes: k.writes, index: index}
}

// recent holds what was written lately and is not final, so that the next write need not read it. Whoever asks for
// a payment or changes one holds its lock.
type recent struct {
	mu sync.Mutex
	of map[string]latest
}

// maxRecent bounds how many payments it holds; each takes about half a kilobyte.
const maxRecent = 4096

func (r *recent) get(id string) (latest, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.of[id]
	return l, ok
}

func (r *recent) put(id string, l latest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.of[id]; !known && len(r.of) >= maxRecent {
		for other := range r.of { // any one
			delete(r.of, other)
			break
		}
	}
	r.of[id] = l
}

func (r *recent) drop(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, id)
}
