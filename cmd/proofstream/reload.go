package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"proofstream/api"
	"proofstream/api/hook"
)

// reloadInterval is the time between two looks at the files that variables name.
const reloadInterval = 2 * time.Second

// reloader applies files of keys, origins and signing secrets again when their content changes. Content is compared, because two versions
// of a file can have the same time and size. A file that cannot be used is reported once, and its previous content stays in force.
type reloader struct {
	environ   []string
	cfg       Config // Sites, Texts, and the Secrets of Hooks are those in force
	hooks     []*hook.Hook
	setAccess func([]api.Site)
	logger    *slog.Logger
	reported  map[string]string // by variable: what was last reported
}

func (s *service) newReloader() *reloader {
	cfg := s.cfg
	cfg.Hooks = slices.Clone(cfg.Hooks)
	return &reloader{environ: s.environ, cfg: cfg, hooks: s.hooks, setAccess: s.server.SetAccess, logger: s.logger, reported: map[string]string{}}
}

// run looks at the files every reloadInterval, and at each signal, until ctx ends.
func (r *reloader) run(ctx context.Context, signals <-chan os.Signal) error {
	tick := time.NewTicker(reloadInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-signals:
			r.logger.Info("looking at the files again that variables name")
		case <-tick.C:
		}
		r.look()
	}
}

// look applies what has changed since the last call.
func (r *reloader) look() {
	r.lookAtSites()
	for i := range r.cfg.Hooks {
		r.lookAtSecrets(i)
	}
}

// lookAtSites applies the files of keys and origins. Of several that have changed, those that can be used are applied together.
func (r *reloader) lookAtSites() {
	next := maps.Clone(r.cfg.Texts)
	for variable, path := range r.siteFiles() {
		text, err := readLimited(path, maxKeyFileSize)
		if err != nil {
			var p problems
			p.addUnreadable(variable, path, err)
			r.report(p.found[0], "")
			continue
		}
		if next[path] = text; text == r.cfg.Texts[path] {
			delete(r.reported, variable)
		}
	}
	if maps.Equal(next, r.cfg.Texts) {
		return
	}
	sites, warnings := r.usable(next)
	for variable, path := range r.siteFiles() {
		if next[path] != r.cfg.Texts[path] {
			delete(r.reported, variable)
			r.logger.Info("file reloaded", "variable", variable)
			for _, w := range warnings {
				if w.Variable == variable {
					r.logger.Warn("check this variable", "variable", w.Variable, "warning", w.Text)
				}
			}
		}
	}
	if maps.Equal(next, r.cfg.Texts) {
		return
	}
	r.cfg.Sites, r.cfg.Texts = sites, next
	access, err := sitesOf(r.cfg)
	if err != nil {
		panic(err) // usable has parsed the same origins
	}
	r.setAccess(access)
}

// usable returns the sites that texts of files give, and warnings about them. A text with problems is reported, and replaced in texts by
// the one in force. So are all new texts of keys when the problem is that of a variable: it has a key that is now in a file of another
// site.
func (r *reloader) usable(texts map[string]string) ([]Site, []Warning) {
	files := r.siteFiles()
	replace := func(variable string, f problem) (replaced bool) {
		path := files[variable]
		if replaced = texts[path] != r.cfg.Texts[path]; replaced {
			r.report(problem{variable, f.text}, texts[path])
			texts[path] = r.cfg.Texts[path]
		}
		return replaced
	}
	for {
		p := problems{texts: texts}
		sites := p.readSitesAgain(r.environ, r.cfg)
		if len(p.found) == 0 {
			return sites, p.warnings
		}
		replaced := false
		for _, f := range p.found {
			replaced = replace(f.variable, f) || replaced
		}
		for variable := range files {
			if !replaced && strings.HasSuffix(variable, "API_KEYS_FILE") {
				replace(variable, p.found[0])
			}
		}
		if maps.Equal(texts, r.cfg.Texts) {
			return r.cfg.Sites, nil
		}
	}
}

// readSitesAgain returns the sites of an environment that was valid, with the files in p.texts.
func (p *problems) readSitesAgain(environ []string, before Config) []Site {
	known := p.knownVariables(environ)
	v := p.parse(known)
	c := v.Config
	p.readSites(&c, v, known)
	if before.GeneratedKey != "" {
		c.Sites[0].Keys = before.Sites[0].Keys
	}
	return c.Sites
}

// siteFiles returns the files of keys and origins by their variables.
func (r *reloader) siteFiles() map[string]string {
	files := map[string]string{}
	for i, site := range r.cfg.Sites {
		prefix := envPrefix
		if i > 0 {
			prefix = fmt.Sprintf("%sSITES_%d_", envPrefix, i-1)
		}
		for name, path := range map[string]string{"API_KEYS_FILE": site.KeysFrom.File, "ALLOWED_ORIGINS_FILE": site.OriginsFrom.File} {
			if path != "" {
				files[prefix+name] = path
			}
		}
	}
	return files
}

// lookAtSecrets applies the file of a webhook's secrets.
func (r *reloader) lookAtSecrets(i int) {
	h, variable := &r.cfg.Hooks[i], fmt.Sprintf("%sHOOKS_%d_SECRET_FILE", envPrefix, i)
	if h.SecretFile == "" {
		return
	}
	var p problems
	secrets := append(slices.Clip(h.Given), p.readSecretFile(variable, h.SecretFile)...)
	if len(p.found) == 0 && !slices.Equal(secrets, h.Secrets) {
		if err := r.hooks[i].SetSecrets(secrets); err != nil {
			p.add(variable, "%v", err)
		}
	}
	switch {
	case len(p.found) > 0:
		r.report(p.found[0], strings.Join(secrets, "\n"))
		return
	case !slices.Equal(secrets, h.Secrets):
		h.Secrets = secrets
		r.logger.Info("file reloaded", "variable", variable)
	}
	delete(r.reported, variable)
}

// report logs that a file cannot be used, once for each content and problem.
func (r *reloader) report(p problem, content string) {
	if this := p.text + "\n" + content; r.reported[p.variable] != this {
		r.reported[p.variable] = this
		r.logger.Warn("a file cannot be used: its previous content stays in force", "variable", p.variable, "problem", p.text)
	}
}
