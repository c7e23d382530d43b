package pebblestore

import "sync"

// recent holds payments that were written lately and are not final, as they are stored, so that their next write
// need not read them. What it holds is not changed any more.
type recent struct {
	mu sync.Mutex
	of map[string]*kept
}

// maxRecent bounds how many they are; each takes about a kilobyte.
const maxRecent = 4096

// get returns a payment; nil where it has to be read. The caller holds the payment's lock.
func (r *recent) get(id string) *kept {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of[id]
}

// put takes a payment that has become durable. The caller holds the payment's lock.
func (r *recent) put(k *kept) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k.Status.Final() {
		delete(r.of, k.ID)
		return
	}
	if _, known := r.of[k.ID]; !known && len(r.of) >= maxRecent {
		for id := range r.of { // any one
			delete(r.of, id)
			break
		}
	}
	r.of[k.ID] = k
}
