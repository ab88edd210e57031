package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"proofstream/api/hook"
)

// hookEnviron is the environment of one webhook, with the others' variables as "NAME=value".
func hookEnviron(index, name, from string, others ...string) []string {
	prefix := "PROOF_HOOKS_" + index + "_"
	environ := []string{prefix + "NAME=" + name, prefix + "FROM=" + from}
	for _, other := range others {
		environ = append(environ, prefix+other)
	}
	return environ
}

func TestEachVariableOfAWebhookReachesItsField(t *testing.T) {
	file := tempFile(t, " from, the file \r\n\nlast")
	environ := hookEnviron("0", "forms", "hmac", "SITE=shop", "SECRET=one, two", "SECRET_FILE="+file, "SIGNATURE=X-S=sha256=hex", "USER_NAME=a.b|c",
		"OFFER_NAME=text:Spring, Sale|x", "IMG_PATH=header:X-Img", "PLACE=d", "URL=e", "KIND=order", "WHEN=f=g|h,i!=j", "RETRACT_WHEN=k=l", "KEY=m")
	environ = append(environ, siteEnviron("0", "shop", keyA, "*")...)
	environ = append(environ, hookEnviron("1", "stripe", "stripe", "SECRET=whsec_x")...)
	want := []Hook{
		{Options: hook.Options{Name: "forms", Site: "shop", From: "hmac", Secrets: []string{"one", "two", " from, the file ", "last"},
			Signature: "X-S=sha256=hex", UserName: "a.b|c", OfferName: "text:Spring, Sale|x", ImgPath: "header:X-Img", Place: "d", URL: "e", Kind: "order",
			When: "f=g|h,i!=j", RetractWhen: "k=l", Key: "m"}, Given: []string{"one", "two"}, SecretFile: file},
		{Options: hook.Options{Name: "stripe", Site: "default", From: "stripe", Secrets: []string{"whsec_x"}}, Given: []string{"whsec_x"}},
	}
	c := configOf(t, environ...)
	if !reflect.DeepEqual(c.Hooks, want) {
		t.Errorf("got  %+v\nwant %+v", c.Hooks, want)
	}
	hooks, err := hooksOf(c)
	if err != nil || len(hooks) != 2 || hooks[0].Name() != "forms" || hooks[0].Site() != "shop" || hooks[1].Site() != "default" {
		t.Errorf("compiled: got %d, error %v", len(hooks), err)
	}
}

func TestEachProblemOfAWebhookIsFound(t *testing.T) {
	good := slices.Clip(hookEnviron("0", "pay", "stripe", "SECRET=whsec_x"))
	configOf(t, good...)
	tests := map[string]struct {
		environ        []string
		variable, text string
	}{
		"no name":                     {hookEnviron("0", "", "stripe", "SECRET=s"), "PROOF_HOOKS_0_NAME", "1 to 63"},
		"a name in capitals":          {hookEnviron("0", "Pay", "stripe", "SECRET=s"), "PROOF_HOOKS_0_NAME", "a-z"},
		"a name twice":                {append(hookEnviron("1", "pay", "github", "SECRET=s"), good...), "PROOF_HOOKS_1_NAME", "taken"},
		"no sender":                   {hookEnviron("0", "pay", "", "SECRET=s", "USER_NAME=a"), "PROOF_HOOKS_0_FROM", "stripe, shopify"},
		"an unknown sender":           {hookEnviron("0", "pay", "paypal", "SECRET=s", "USER_NAME=a"), "PROOF_HOOKS_0_FROM", "standard, hmac"},
		"no secret":                   {hookEnviron("0", "pay", "stripe"), "PROOF_HOOKS_0_SECRET", "missing"},
		"secrets of commas":           {hookEnviron("0", "pay", "stripe", "SECRET=,"), "PROOF_HOOKS_0_SECRET", "commas"},
		"an empty file of secrets":    {hookEnviron("0", "pay", "stripe", "SECRET_FILE="+tempFile(t, "\r\n\n")), "PROOF_HOOKS_0_SECRET_FILE", "empty"},
		"no file of secrets":          {hookEnviron("0", "pay", "stripe", "SECRET_FILE=/no/such"), "PROOF_HOOKS_0_SECRET_FILE", "no such file"},
		"a wrong secret in the file":  {hookEnviron("0", "pay", "standard", "SECRET_FILE="+tempFile(t, "!")), "PROOF_HOOKS_0_SECRET_FILE", "base64"},
		"no such site":                {append(good, "PROOF_HOOKS_0_SITE=shop"), "PROOF_HOOKS_0_SITE", "no such site"},
		"no signature":                {hookEnviron("0", "pay", "hmac", "SECRET=s", "USER_NAME=a"), "PROOF_HOOKS_0_SIGNATURE", "HEADER=hex"},
		"a signature for Stripe":      {append(good, "PROOF_HOOKS_0_SIGNATURE=X-S=hex"), "PROOF_HOOKS_0_SIGNATURE", "only with FROM hmac"},
		"no name and no offer":        {hookEnviron("0", "pay", "hmac", "SECRET=s", "SIGNATURE=X-S=hex"), "PROOF_HOOKS_0_USER_NAME", "missing"},
		"a path that is none":         {append(good, "PROOF_HOOKS_0_PLACE=a..b"), "PROOF_HOOKS_0_PLACE", "line_items.0.title"},
		"a condition without a value": {append(good, "PROOF_HOOKS_0_WHEN=a=b,paid"), "PROOF_HOOKS_0_WHEN", "condition 2"},
		"a kind in capitals":          {append(good, "PROOF_HOOKS_0_KIND=Order"), "PROOF_HOOKS_0_KIND", "a-z"},
		"a first index of one":        {hookEnviron("1", "pay", "stripe", "SECRET=s"), "PROOF_HOOKS_0_NAME", "there is a webhook 1"},
		"a letter missing":            {append(good, "PROOF_HOOKS_0_RETRAC_WHEN=a=b"), "PROOF_HOOKS_0_RETRAC_WHEN", "PROOF_HOOKS_0_RETRACT_WHEN"},
		"an index with a zero before": {append(good, "PROOF_HOOKS_00_KEY=id"), "PROOF_HOOKS_00_KEY", "PROOF_HOOKS_0_KEY"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := problemsOf(t, test.environ...)
			if len(got) != 1 || !strings.HasPrefix(got[0], test.variable+": ") || !strings.Contains(got[0], test.text) {
				t.Errorf("got %q, want one problem of %s with %q", got, test.variable, test.text)
			}
		})
	}
}

// A secret in the wrong variable does not get into a problem, nor one in the right variable into the logged configuration.
func TestSecretsOfWebhooksAreNotShown(t *testing.T) {
	const canary = "c4n4ry-Vu0Rh2Xq9s7Lw1Pz"
	for _, f := range envFields(&hookVariables{}, "PROOF_HOOKS_0_") {
		for _, value := range []string{canary, canary + "=", "text:" + strings.Repeat(canary, 9), "a|" + canary + "..", "a=b," + canary, "whsec_" + canary, "header:" + canary + " x"} {
			for _, problem := range problemsOf(t, f.Key+"="+value, "PROOF_HOOKS_1_FROM=x") {
				if strings.Contains(problem, canary) && !strings.Contains(problem, "no such file") { // paths are shown
					t.Errorf("%s=%s shows the secret: %s", f.Key, value, problem)
				}
			}
		}
	}
	c := configOf(t, hookEnviron("0", "pay", "stripe", "SECRET="+canary)...)
	if strings.Contains(c.String(), canary) {
		t.Errorf("the configuration shows the secret: %s", c.String())
	}
}
