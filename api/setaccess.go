package api

import (
	"proofstream/api/auth"
	"proofstream/api/origin"
)

// SetAccess replaces the keys and origins of all sites. The given sites must have the names of Options.Sites; only Keys and Origins
// of them are used. All keys change at once, and so do all origins. A stream of a page whose origin is no longer allowed ends, and the
// response to its reconnection is a 403; all other streams stay open.
func (s *Server) SetAccess(sites []Site) {
	s.setAccess(sites)
	for _, site := range sites {
		s.o.Registry.EndRefused(site.Name, func(from string) bool { return s.lists(site.Name, from) })
	}
}

func (s *Server) setAccess(sites []Site) {
	var keys []*auth.Key
	origins := make(map[string]origin.List)
	for _, site := range sites {
		origins[site.Name] = site.Origins
		for _, key := range site.Keys {
			keys = append(keys, auth.NewKey(site.Name, key, s.o.RateLimit))
		}
	}
	s.keys.Set(keys)
	s.origins.Store(&origins)
}
