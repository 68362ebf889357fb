package console

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"strconv"

	"go.uber.org/zap"
)

//go:embed templates
var templateFiles embed.FS

// page is what a template shows.
type page struct {
	name string // of the template

	Title string // of the window

	// Refresh is after how many seconds the script looks again; 0 for never.
	Refresh int

	// Reload is after how many seconds a browser without script looks again.
	Reload int

	Data any

	// The rest is filled in by render.
	Root    string // the relative path to the overview
	Section string // the page of the menu that is open
	User    string
	Token   string
	Job     *job   // that the visitor began on this page
	Jobs    []*job // that run
}

// templates holds a template for each page, within the layout.
var templates = parseTemplates()

func parseTemplates() map[string]*template.Template {
	layout := template.Must(template.New("layout.html").Funcs(functions).
		ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	all := make(map[string]*template.Template)
	for _, name := range []string{"overview", "events", "event", "dead", "refusals", "job", "confirm", "failure", "forbidden"} {
		all[name] = template.Must(template.Must(layout.Clone()).ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return all
}

// render answers with a page.
func (v *visit) render(status int, p page) {
	p.Root, p.Section, p.User = v.root, p.name, v.user
	if p.name == "event" {
		p.Section = "events"
	}
	if v.mayLook() {
		p.Token = v.process.forgery.token(v.user)
		p.Job = v.process.jobs.find(v.r.URL.Query().Get("job"))
		p.Jobs = v.process.jobs.running()
	}
	var out bytes.Buffer
	if err := templates[p.name].Execute(&out, p); err != nil {
		v.log().Error("cannot make a page", zap.String("page", p.name), zap.Error(err))
		http.Error(v.w, internal.text, http.StatusInternalServerError)
		return
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(out.Len()))
	v.w.WriteHeader(status)
	_, _ = v.w.Write(out.Bytes()) // fails for a client that is gone
}

func (v *visit) mayLook() bool { return v.user != "" || v.Insecure }

// fail answers with the page of a failure.
func (v *visit) fail(err error) {
	f := internal
	if !errors.As(err, &f) {
		v.log().Error("cannot make a page", zap.Error(err))
	}
	v.render(f.status, page{name: "failure", Title: f.title, Data: f.text})
}
