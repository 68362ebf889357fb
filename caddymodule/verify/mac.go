package verify

// MAC returns the MAC of a text with the secret at a position, from 1, by the provider's
// algorithm; nil for a scheme without secrets, or a position without one. It is for the
// answer to a handshake.
func (v *SignatureVerifier) MAC(ordinal int, text []byte) []byte {
	if ordinal < 1 || ordinal > len(v.keys) {
		return nil
	}
	key, ok := v.keys[ordinal-1].(*macKey)
	if !ok {
		return nil
	}
	m := key.pool.Get().(*mac)
	defer key.pool.Put(m)
	m.Reset()
	m.Write(text)
	return m.Sum(nil)
}
