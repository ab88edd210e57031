package signup

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
)

// FuzzData holds the encoder to encoding/json, for any text, checked or not: what goes in comes out,
// from one line without any character that some reader takes for a line end.
func FuzzData(f *testing.F) {
	f.Add("Ada", "/a.png", "London", "order", false, false)
	f.Add("\"\\/\b\f\n\r\t\x00\x7f", "<>&'", "\u2028\u2029\ufeff\U0001f600", "\"", true, false)
	f.Add("\xff\xed\xa0\x80\xc3", "", " ", "", true, true)
	f.Fuzz(func(t *testing.T, user, img, place, kind string, noUser, noOffer bool) {
		data := Signup{UserName: user, OfferName: user, ImgPath: img, Place: place, URL: img, Kind: kind,
			UserNameBlank: noUser, OfferNameBlank: noOffer}.Data()
		if i := bytes.IndexAny(data, "\r\n\u2028\u2029"); i >= 0 {
			t.Fatalf("line end at byte %d of %q", i, data)
		}
		var got struct {
			ImgPath   string   `json:"img_path"`
			OfferName string   `json:"offer_name"`
			UserName  string   `json:"user_name"`
			Place     string   `json:"place"`
			URL       string   `json:"url"`
			Kind      string   `json:"kind"`
			Blank     []string `json:"blank"`
		}
		strict := json.NewDecoder(bytes.NewReader(data))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&got); err != nil {
			t.Fatalf("%v in %q", err, data)
		}
		for sent, came := range map[string]string{user: got.UserName, img: got.ImgPath, place: got.Place, kind: got.Kind} {
			if want := string([]rune(sent)); came != want {
				t.Errorf("got %q; want %q", came, want)
			}
		}
		if got.OfferName != got.UserName || got.URL != got.ImgPath {
			t.Errorf("got different texts for equal ones in %s", data)
		}
		if slices.Contains(got.Blank, "user_name") != noUser || slices.Contains(got.Blank, "offer_name") != noOffer {
			t.Errorf("got blank %q in %s", got.Blank, data)
		}
	})
}
