package routing

import "hash/maphash"

// textTable leads from texts to nodes. Short texts are in their slots, so that finding one is one line of a processor's
// cache; Go's map needs three.
type textTable struct {
	slots []slot           // a power of two; at most half of them are used
	long  map[string]int32 // the nodes of texts that no slot has room for
}

type slot struct {
	node int32
	size uint8 // of the text, and 1; 0 = free
	text [27]byte
}

var textSeed = maphash.MakeSeed()

func newTextTable(nodes map[string]int32) textTable {
	size := 2
	for size < 2*len(nodes) {
		size *= 2
	}
	t := textTable{slots: make([]slot, size)}
	for text, node := range nodes {
		if len(text) > len(slot{}.text) {
			if t.long == nil {
				t.long = map[string]int32{}
			}
			t.long[text] = node
			continue
		}
		s := t.slot(text)
		s.node, s.size = node, uint8(len(text)+1)
		copy(s.text[:], text)
	}
	return t
}

// slot returns where a short text is, or would be.
func (t *textTable) slot(text string) *slot {
	for i := maphash.String(textSeed, text); ; i++ {
		s := &t.slots[i&uint64(len(t.slots)-1)]
		if s.size == 0 || int(s.size) == len(text)+1 && string(s.text[:len(text)]) == text {
			return s
		}
	}
}

// get returns the node of a text; ok is false where there is none.
func (t *textTable) get(text string) (node int32, ok bool) {
	if len(text) > len(slot{}.text) {
		node, ok = t.long[text]
		return node, ok
	}
	s := t.slot(text)
	return s.node, s.size != 0
}
