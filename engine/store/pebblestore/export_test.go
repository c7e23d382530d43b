package pebblestore

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// Applied counts the records that Pebble shows, durable or not.
func Applied(s *Store) (n int) {
	v := newView(s.db.NewSnapshot(), 0)
	defer v.release()
	_ = v.scan([]byte{0}, []byte{255}, func(_, _ []byte) (bool, error) { n++; return true, nil })
	return n
}

// SetFormat makes the store one of another format version.
func SetFormat(s *Store, version int64) error {
	f := format{version: version, secret: s.seal}
	return s.db.Set([]byte{kindFormat}, encode(nil, func(c *codec) { c.format(&f) }), pebble.Sync)
}

// Damage replaces the first record of a kind, or deletes it where there is nothing to put there.
func Damage(s *Store, kind byte, record []byte) error {
	v := newView(s.db.NewSnapshot(), 0)
	defer v.release()
	var key []byte
	err := v.scan([]byte{kind}, next([]byte{kind}), func(k, _ []byte) (bool, error) {
		key = append(key, k...)
		return false, nil
	})
	w := &write{batch: s.db.NewBatch(), sync: true}
	if record == nil {
		w.delete(key)
	} else {
		w.set(key, record)
	}
	return errors.Join(err, s.commit(w))
}
