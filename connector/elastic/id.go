package elastic

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// maxID is the longest _id Elasticsearch takes, in bytes.
const maxID = 512

var escapeTenant = strings.NewReplacer("%", "%25", ":", "%3A")

// docID returns the _id of a call: the tenant, a colon and the callId, where % and : are escaped in the tenant. So the
// first colon ends the tenant, and two different calls never share an id. An id over 512 bytes, or one that is not UTF-8
// and would change on its way, is a hash instead; the start "%sha256:" can't come out of the escaping.
func docID(tenant, callID string) string {
	if strings.ContainsAny(tenant, "%:") {
		tenant = escapeTenant.Replace(tenant)
	}
	if len(tenant)+1+len(callID) <= maxID && utf8.ValidString(tenant) && utf8.ValidString(callID) {
		return tenant + ":" + callID
	}
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(tenant))))
	h.Write([]byte(tenant))
	h.Write([]byte(callID))
	return "%sha256:" + hex.EncodeToString(h.Sum(nil))
}
