package hook

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestEachWrongOptionIsNamed(t *testing.T) {
	good := Options{Name: "forms", Site: "default", From: "hmac", Secrets: []string{"s"}, Signature: "X-S=hex", UserName: "name"}
	compile(t, good)
	for _, tt := range []struct {
		name   string
		change func(*Options)
		option string
	}{
		{"no name", func(o *Options) { o.Name = "" }, "NAME"},
		{"a name in capitals", func(o *Options) { o.Name = "Forms" }, "NAME"},
		{"a name of 64", func(o *Options) { o.Name = strings.Repeat("a", 64) }, "NAME"},
		{"no sender", func(o *Options) { o.From, o.Signature = "", "" }, "FROM"},
		{"a sender in capitals", func(o *Options) { o.From, o.Signature = "Stripe", "" }, "FROM"},
		{"no secret", func(o *Options) { o.Secrets = nil }, "SECRET"},
		{"an empty secret", func(o *Options) { o.Secrets = []string{"s", ""} }, "SECRET"},
		{"a secret that is not base64", func(o *Options) { o.From, o.Signature, o.Secrets = "standard", "", []string{"whsec_!"} }, "SECRET"},
		{"no key in the secret", func(o *Options) { o.From, o.Signature, o.Secrets = "standard", "", []string{"whsec_"} }, "SECRET"},
		{"no signature", func(o *Options) { o.Signature = "" }, "SIGNATURE"},
		{"a signature without a digest", func(o *Options) { o.Signature = "X-S=sha256" }, "SIGNATURE"},
		{"a signature without a header", func(o *Options) { o.Signature = "=hex" }, "SIGNATURE"},
		{"a signature for a known sender", func(o *Options) { o.From = "stripe" }, "SIGNATURE"},
		{"no name and no offer", func(o *Options) { o.UserName = "" }, "USER_NAME"},
		{"a path without names", func(o *Options) { o.UserName = ".." }, "USER_NAME"},
		{"an offer that is too long", func(o *Options) { o.OfferName = "text:" + strings.Repeat("a", 121) }, "OFFER_NAME"},
		{"a picture that is no address", func(o *Options) { o.ImgPath = "text:javascript:alert(1)" }, "IMG_PATH"},
		{"a place with a control character", func(o *Options) { o.Place = "text:a\x01b" }, "PLACE"},
		{"a URL of another scheme", func(o *Options) { o.URL = "text:http://a.example" }, "URL"},
		{"a kind in capitals", func(o *Options) { o.Kind = "Order" }, "KIND"},
		{"a condition without a value", func(o *Options) { o.When = "status" }, "WHEN"},
		{"the second condition", func(o *Options) { o.RetractWhen, o.Key = "a=b,c", "id" }, "RETRACT_WHEN"},
		{"a withdrawal without a key", func(o *Options) { o.RetractWhen = "a=b" }, "KEY"},
		{"a key that is a text", func(o *Options) { o.Key = "id|text:a" }, "KEY"},
	} {
		o := good
		tt.change(&o)
		_, err := New(o)
		found, _ := err.(interface{ Unwrap() []error })
		if found == nil || len(found.Unwrap()) != 1 {
			t.Errorf("%s: got %v, want one problem", tt.name, err)
			continue
		}
		if got, ok := errors.AsType[*OptionError](found.Unwrap()[0]); !ok || got.Option != tt.option {
			t.Errorf("%s: got %v, want one about %s", tt.name, err, tt.option)
		}
	}
}

func TestWhatASenderCannotMendIsMended(t *testing.T) {
	h := compile(t, Options{Name: "a", From: "hmac", Secrets: []string{"s"}, Signature: "X-S=hex", UserName: "name", OfferName: "offer", Place: "place",
		ImgPath: "img", URL: "url"})
	const withOffer = `{"img_path":"default","offer_name":"Sale","user_name":`
	long := strings.Repeat("ä", 130)
	cut := long[:len("ä")*120]
	for _, tt := range []struct{ name, body, data string }{
		{"a long name is cut", `{"offer":"Sale","name":"  ` + long + `"}`, withOffer + `"` + cut + `"}`},
		{"a name of 10,000", `{"offer":"Sale","name":"` + strings.Repeat("ä", 10_000) + `"}`, withOffer + `"` + cut + `"}`},
		{"a name of 120 between direction controls", `{"offer":"Sale","name":"\u202a` + cut + `\u202c"}`, withOffer + `"` + cut + `"}`},
		{"half a character at the end", `{"offer":"Sale","name":"Ada \ud83d"}`, withOffer + `"Ada"}`},
		{"bad addresses", `{"offer":"Sale","name":"Ada","img":"javascript:alert(1)","url":"http://a.example"}`, withOffer + `"Ada"}`},
		{"an address that is too long", `{"offer":"Sale","name":"Ada","url":"/` + strings.Repeat("a", 2048) + `"}`, withOffer + `"Ada"}`},
		{"numbers for texts", `{"offer":"Sale","name":1.50,"place":true,"img":false,"url":0}`, withOffer + `"1.50","place":"true"}`},
		{"objects for texts", `{"offer":"Sale","name":"Ada","place":{"a":"b"},"img":["/a"],"url":null}`, withOffer + `"Ada"}`},
	} {
		got, err := h.Read(http.Header{}, []byte(tt.body))
		if err != nil || string(got.Signup.Data()) != tt.data {
			t.Errorf("%s: got %s, error %v, want %s", tt.name, got.Signup.Data(), err, tt.data)
		}
	}
}

func TestTheKeyIsTheValueOrItsHash(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"a number", "820982911946154508", "820982911946154508"},
		{"a text with a space", "order 17", "order 17"},
		{"128 characters", strings.Repeat("k", 128), strings.Repeat("k", 128)},
		{"129 characters", strings.Repeat("k", 129), "9094034fb2d0ce2e407c9b260f2806ab2efb352e200722fd6296d9cf1cf7e6f5"},
		{"a character beyond ASCII", "ä", "33e6d73fee82904c8d7afb78de1154d1e8dc2a0edb08120e63df5b9385c2d9cc"},
		{"a line end", "a\n", "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"},
		{"nothing", "", ""},
	} {
		if got := keyText(tt.value); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
