package pebblestore

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/cauce-pay/cauce/engine/store"
)

// seal is the secret by which a store knows its own cursors again.
type seal []byte

const macSize = 8

func (s seal) mac(kind byte, place []byte) []byte {
	h := hmac.New(sha256.New, s)
	h.Write([]byte{kind})
	h.Write(place)
	return h.Sum(nil)[:macSize]
}

// cursor makes an opaque text of a place in the list of that kind.
func (s seal) cursor(kind byte, place []byte) string {
	return base64.RawURLEncoding.EncodeToString(append(s.mac(kind, place), place...))
}

// open returns the place that a cursor of that kind was made of, or store.ErrBadCursor.
func (s seal) open(kind byte, cursor string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) < macSize || !hmac.Equal(raw[:macSize], s.mac(kind, raw[macSize:])) {
		return nil, store.ErrBadCursor
	}
	return raw[macSize:], nil
}
