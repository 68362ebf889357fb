package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

// asset is a file that browsers keep for good: its name changes with its content.
type asset struct {
	name        string
	contentType string
	content     []byte
}

var (
	styleSheet = newAsset("console.css", "text/css; charset=utf-8")
	script     = newAsset("console.js", "text/javascript; charset=utf-8")
	icon       = newAsset("icon.svg", "image/svg+xml")
)

var assets = map[string]*asset{styleSheet.name: styleSheet, script.name: script, icon.name: icon}

func newAsset(file, contentType string) *asset {
	content, err := assetFiles.ReadFile("assets/" + file)
	if err != nil {
		panic(err) // it is embedded
	}
	sum := sha256.Sum256(content)
	extension := path.Ext(file)
	name := strings.TrimSuffix(file, extension) + "-" + hex.EncodeToString(sum[:8]) + extension
	return &asset{name, contentType, content}
}

// asset serves a file. It holds nothing of the gateway, so that the page for those who
// may not see more has it too.
func (v *visit) asset() {
	a := assets[v.arg]
	if a == nil {
		v.fail(notFound)
		return
	}
	h := v.w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	v.w.WriteHeader(http.StatusOK)
	_, _ = v.w.Write(a.content) // fails for a client that is gone
}
