package trust_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/trust"
)

// TestWeakKeys shows what each refused key is: one signature, R the identity
// and S zero, fits some of any 200 messages.
func TestWeakKeys(t *testing.T) {
	sig := make([]byte, ed25519.SignatureSize)
	sig[0] = 1
	for _, y := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ec" + strings.Repeat("ff", 30) + "7f",
		"ed" + strings.Repeat("ff", 30) + "7f", // = 0, not reduced
		"ee" + strings.Repeat("ff", 30) + "7f", // = 1, not reduced
	} {
		for _, sign := range []byte{0, 0x80} {
			key, err := hex.DecodeString(y)
			if err != nil {
				t.Fatal(err)
			}
			key[31] |= sign
			forged := false
			for i := 0; i < 200 && !forged; i++ {
				forged = ed25519.Verify(key, fmt.Append(nil, i), sig)
			}
			if !forged {
				t.Errorf("%x: no message fits", key)
			}
			if _, err := trust.ParseCosignerKey(vkeyOf("w", append([]byte{4}, key...))); err == nil {
				t.Errorf("%x: accepted", key)
			}
		}
	}
}
