package main

import (
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"

	"proofstream/stream/signup"
)

// siteEnviron is the environment of one indexed site, with the others' variables as "NAME=value".
func siteEnviron(index, name, keys, origins string, others ...string) []string {
	p := "PROOF_SITES_" + index + "_"
	environ := []string{p + "NAME=" + name, p + "API_KEYS=" + keys, p + "ALLOWED_ORIGINS=" + origins}
	for _, other := range others {
		environ = append(environ, p+other)
	}
	return environ
}

func TestSitesFollowTheDefaultInOrder(t *testing.T) {
	environ := []string{"PROOF_API_KEYS=" + keyA}
	site := func(name string, keys, origins []string) Site {
		return Site{Name: name, Keys: keys, Origins: origins, Names: signup.FullNames, KeysFrom: Source{Given: keys}, OriginsFrom: Source{Given: origins}}
	}
	want := []Site{site("default", []string{keyA}, []string{"http://localhost:*", "http://127.0.0.1:*"})}
	for i, index := range strings.Fields("0 1 2 3 4 5 6 7 8 9 10 11") {
		name, key := "shop-"+index, strings.Repeat(string(rune('c'+i)), 16)
		environ = append(siteEnviron(index, name, key+" , "+key+"2,", "https://"+name+".example"), environ...)
		want = append(want, site(name, []string{key, key + "2"}, []string{"https://" + name + ".example"}))
	}
	if got := configOf(t, environ...).Sites; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestEachSiteProblemIsFound(t *testing.T) {
	good := siteEnviron("0", "shop", keyA, "https://shop.example")
	long := strings.Repeat("a", 63)
	tests := map[string]struct {
		environ        []string
		variable, text string // "" when there is no problem
	}{
		"a name of 63":          {environ: siteEnviron("0", long, keyA, "*")},
		"digits and hyphens":    {environ: siteEnviron("0", "-0-", keyA, "*")},
		"a name of 64":          {siteEnviron("0", long+"a", keyA, "*"), "PROOF_SITES_0_NAME", "1 to 63"},
		"a name in capitals":    {siteEnviron("0", "Shop", keyA, "*"), "PROOF_SITES_0_NAME", "a-z"},
		"a name with a dot":     {siteEnviron("0", "shop.a", keyA, "*"), "PROOF_SITES_0_NAME", "a-z"},
		"a name with a star":    {siteEnviron("0", "*", keyA, "*"), "PROOF_SITES_0_NAME", "a-z"},
		"the name default":      {siteEnviron("0", "default", keyA, "*"), "PROOF_SITES_0_NAME", "default"},
		"a name twice":          {append(siteEnviron("1", "shop", keyB, "*"), good...), "PROOF_SITES_1_NAME", "taken"},
		"no name":               {siteEnviron("0", "", keyA, "*"), "PROOF_SITES_0_NAME", "missing"},
		"no keys":               {siteEnviron("0", "shop", "", "*"), "PROOF_SITES_0_API_KEYS", "missing"},
		"keys of commas":        {siteEnviron("0", "shop", ",", "*"), "PROOF_SITES_0_API_KEYS", "commas"},
		"a short key":           {siteEnviron("0", "shop", "short", "*"), "PROOF_SITES_0_API_KEYS", "key 1 is shorter"},
		"no origins":            {siteEnviron("0", "shop", keyA, " "), "PROOF_SITES_0_ALLOWED_ORIGINS", "missing"},
		"an origin with a path": {siteEnviron("0", "shop", keyA, "https://a.example/b"), "PROOF_SITES_0_ALLOWED_ORIGINS", "path"},
		"keys in a file only":   {environ: siteEnviron("0", "shop", "", "*", "API_KEYS_FILE="+tempFile(t, keyA))},
		"origins in a file":     {environ: siteEnviron("0", "shop", keyA, "", "ALLOWED_ORIGINS_FILE="+tempFile(t, "https://a.example\n"))},
		"a file of no origins":  {siteEnviron("0", "shop", keyA, "*", "ALLOWED_ORIGINS_FILE="+tempFile(t, "\n")), "PROOF_SITES_0_ALLOWED_ORIGINS_FILE", "empty"},
		"a file of bad origins": {siteEnviron("0", "shop", keyA, "*", "ALLOWED_ORIGINS_FILE="+tempFile(t, "*\nhttps://a.example/")), "PROOF_SITES_0_ALLOWED_ORIGINS_FILE", "origin 2"},
		"another policy":        {append(good, "PROOF_SITES_0_NAMES=last"), "PROOF_SITES_0_NAMES", "write full, first, initial or none"},
		"a first index of one":  {siteEnviron("1", "shop", keyA, "*"), "PROOF_SITES_0_NAME", "there is a site 1"},
		"a gap":                 {append(siteEnviron("2", "b", keyB, "*"), good...), "PROOF_SITES_1_NAME", "there is a site 2"},
		"an index of a million": {[]string{"PROOF_SITES_1000000_NAME=a"}, "PROOF_SITES_1000000_NAME", "PROOF_SITES_0_NAME"},
		"another site's key":    {append(siteEnviron("1", "b", keyB+","+keyA, "*"), good...), "PROOF_SITES_1_API_KEYS", "key 2 is also in PROOF_SITES_0_API_KEYS"},
		"the default's key":     {append(good, "PROOF_API_KEYS="+keyA), "PROOF_SITES_0_API_KEYS", "also in PROOF_API_KEYS"},
		"the default's, in a file": {append(good, "PROOF_API_KEYS_FILE="+tempFile(t, keyA)),
			"PROOF_SITES_0_API_KEYS", "also in PROOF_API_KEYS_FILE"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.variable == "" {
				configOf(t, test.environ...)
				return
			}
			got := problemsOf(t, test.environ...)
			if len(got) != 1 || !strings.HasPrefix(got[0], test.variable+": ") || !strings.Contains(got[0], test.text) {
				t.Errorf("got %q, want one problem of %s with %q", got, test.variable, test.text)
			}
		})
	}
}

func TestNamesOfASiteDefaultToThoseOfTheFirst(t *testing.T) {
	environ := append(siteEnviron("0", "shop", keyA, "*"), siteEnviron("1", "blog", keyB, "*")...)
	got := configOf(t, append(environ, "PROOF_NAMES=initial", "PROOF_SITES_1_NAMES=full")...).Sites
	for i, want := range []signup.Names{signup.InitialNames, signup.InitialNames, signup.FullNames} {
		if got[i].Names != want {
			t.Errorf("site %s has %s, want %s", got[i].Name, got[i].Names, want)
		}
	}
}

func TestKeysComeFromBothVariables(t *testing.T) {
	keyC := strings.Repeat("c", 16)
	tests := map[string]struct {
		file string
		want []string
	}{
		"a line end after the key":        {keyB + "\n", []string{keyA, keyB}},
		"no line end":                     {keyB, []string{keyA, keyB}},
		"two lines as Windows ends them":  {keyB + "\r\n" + keyC + "\r\n", []string{keyA, keyB, keyC}},
		"commas":                          {keyB + ", " + keyC + ",", []string{keyA, keyB, keyC}},
		"a blank line between":            {keyB + "\n\n" + keyC, []string{keyA, keyB, keyC}},
		"the key of the other variable":   {keyA + "\n" + keyB, []string{keyA, keyB}},
		"the same key twice":              {keyB + "\n" + keyB, []string{keyA, keyB}},
		"a byte sequence of many letters": {"ключ-ключ-ключ-ключ\n", []string{keyA, "ключ-ключ-ключ-ключ"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := configOf(t, "PROOF_API_KEYS="+keyA, "PROOF_API_KEYS_FILE="+tempFile(t, test.file))
			if got := c.Sites[0].Keys; !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAKeyIsGeneratedOnlyWhenNoneIsGiven(t *testing.T) {
	shop := siteEnviron("0", "shop", keyB, "*")
	tests := map[string]struct {
		environ []string
		want    bool
	}{
		"nothing":             {nil, true},
		"a site, but no key":  {shop, true},
		"an empty key":        {[]string{"PROOF_API_KEYS="}, true},
		"a key":               {[]string{"PROOF_API_KEYS=" + keyA}, false},
		"a key in a file":     {[]string{"PROOF_API_KEYS_FILE=" + tempFile(t, keyA)}, false},
		"a cluster and a key": {[]string{"PROOF_NATS_URL=nats://a", "PROOF_API_KEYS=" + keyA}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := configOf(t, test.environ...)
			if got := c.GeneratedKey != ""; got != test.want {
				t.Errorf("generated: %v, want %v", got, test.want)
			}
			if len(c.Sites[0].Keys) != 1 || test.want && c.Sites[0].Keys[0] != c.GeneratedKey {
				t.Errorf("the default site has %d keys, want the one", len(c.Sites[0].Keys))
			}
		})
	}
}

func TestTheLoggedConfigurationHoldsNoSecret(t *testing.T) {
	const password = "pa55-of-the-cluster"
	environ := append(siteEnviron("0", "shop", keyB, "https://shop.example"),
		"PROOF_API_KEYS="+keyA, "PROOF_NATS_URL=nats://me:"+password+"@a:4222,"+password+"@b:4222")
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("configured", "config", configOf(t, environ...))
	slog.New(slog.NewJSONHandler(&out, nil)).Info("configured", "config", configOf(t))
	c := configOf(t)
	out.WriteString(c.String())
	for _, secret := range []string{keyA, keyB, password, c.GeneratedKey} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is logged: %s", secret, &out)
		}
	}
	for name := range knownNames() {
		switch name {
		case "PROOF_API_KEYS", "PROOF_API_KEYS_FILE", "PROOF_ALLOWED_ORIGINS", "PROOF_ALLOWED_ORIGINS_FILE", "PROOF_NAMES": // logged as sites
			continue
		}
		if !strings.Contains(out.String(), name+"=") {
			t.Errorf("%s is not logged", name)
		}
	}
	for _, want := range []string{"nats://a:4222,nats://b:4222", "sites.shop.keys=1", "https://shop.example"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not logged: %s", want, &out)
		}
	}
}

func TestTheEnvironmentOfTheProcessIsNotRead(t *testing.T) {
	t.Setenv("PROOF_RETAIN", "5")
	t.Setenv("PROOF_NO_SUCH", "5")
	if got := configOf(t).Retain; got != 1000 || os.Getenv("PROOF_RETAIN") != "5" {
		t.Errorf("got %d, want 1000: only the given environment counts", got)
	}
}
