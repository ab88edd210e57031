package widget

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"proofstream/cmd/proofstream/e2e"
)

// spoken is a script that records what each card says: sentence, age, labels, language and direction; and the card's distance from the
// right edge of the window.
const spoken = `<script>
	var spoke = [], fromRight = []
	addEventListener('proof:show', () => {
		const card = part('card')
		spoke.push([says(), part('time').textContent, part('close').ariaLabel, card.ariaLabel, card.lang, card.dir].join('|'))
		fromRight.push(innerWidth - card.offsetLeft - card.offsetWidth)
	})
</script>`

// speaker is a page whose stream sends what a test puts in.
type speaker struct {
	tab    context.Context
	proxy  *e2e.HTTPProxy
	frames chan string
	sent   int
}

// openSpeaker opens a page with an html element that has the attributes in html, and a widget with the attributes in tag.
func openSpeaker(t *testing.T, p *e2e.Program, html, tag string, words http.HandlerFunc) *speaker {
	t.Helper()
	s := &speaker{proxy: e2e.StartHTTPProxy(t, p), frames: make(chan string, 10)}
	s.proxy.Replace("/events", e2e.FakeStream(s.frames))
	s.proxy.Replace("/assets/proof.words.json", words)
	page := e2e.WidgetPage(s.proxy.URL, `data-duration="60" data-cooldown="0" `+tag, spoken)
	s.tab = e2e.Tab(t, e2e.ServePage(t, strings.Replace(page, `<html lang="en">`, "<html "+html+">", 1)))
	return s
}

// says sends a signup with the fields left blank that are named, and returns what its card says.
func (s *speaker) says(t *testing.T, age time.Duration, blank []string, fields ...string) string {
	t.Helper()
	s.sent++
	frame := e2e.SignupFrame(fmt.Sprintf("made-%d", s.sent+1), age, fields...)
	if len(blank) > 0 {
		frame = strings.Replace(frame, `{"at"`, `{"blank":`+e2e.MustJSON(blank)+`,"at"`, 1)
	}
	s.frames <- frame
	e2e.AwaitShows(t, s.tab, s.sent)
	return e2e.Eval[string](t, s.tab, fmt.Sprintf("spoke[%d]", s.sent-1))
}

// requested returns how often the page has requested the file with the built-in words.
func (s *speaker) requested() (n int) {
	for _, path := range s.proxy.Requests() {
		if strings.HasPrefix(path, "/assets/proof.words.") {
			n++
		}
	}
	return n
}

const (
	german      = "Jemand hat sich gerade bei einem unserer Partner angemeldet!|jetzt|Schließen|Anmeldungen|de|ltr"
	germanPast  = "Ada hat sich bei Spring Sale angemeldet|vor 2 Stunden|Schließen|Anmeldungen|de|ltr"
	english     = "someone just signed up with one of our partners!|now|Close|Signups|en|ltr"
	englishPast = "Ada signed up with Spring Sale|2 hours ago|Close|Signups|en|ltr"
)

// Sentence, age, labels and the words for blank fields are in the page's language. What the tag says wins, word by word. Only a page
// in a built-in language, without words of its own, requests the second file. In other languages all is English, also the age.
func TestWidgetHasWordsForThePagesLanguage(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	const allOwn = `data-template="{user_name} > {offer_name}" data-template-past="{user_name} < {offer_name}" data-someone="W" data-some-offer="Z" data-close-label="X" data-label-de="L"`
	for _, c := range []struct {
		name, html, tag string
		live, past      string
		requested       int
	}{
		{"a built-in language", `lang="de"`, "", german, germanPast, 1},
		{"the tag's language wins", `lang="en"`, `data-lang="de"`, german, germanPast, 1},
		{"some words of the tag", `lang="de"`, `data-someone="Wer" data-label-de="Neu" data-template-past-de="{user_name}: {offer_name}"`,
			"Wer hat sich gerade bei einem unserer Partner angemeldet!|jetzt|Schließen|Neu|de|ltr", "Ada: Spring Sale|vor 2 Stunden|Schließen|Neu|de|ltr", 1},
		{"all words of the tag", `lang="de"`, allOwn, "W > Z|jetzt|X|L|de|ltr", "Ada < Spring Sale|vor 2 Stunden|X|L|de|ltr", 0},
		{"English", `lang="en"`, "", english, englishPast, 0},
		{"a language that is not built in", `lang="ps"`, "", english, englishPast, 0},
		{"no language", ``, "", english, englishPast, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := openSpeaker(t, p, c.html, c.tag, nil)
			if got := s.says(t, 0, []string{"user_name", "offer_name"}, "user_name=someone", "offer_name=one of our partners"); got != c.live {
				t.Errorf("a live signup: got %q, want %q", got, c.live)
			}
			if got := s.says(t, 2*time.Hour+time.Minute, nil); got != c.past {
				t.Errorf("a past signup: got %q, want %q", got, c.past)
			}
			if got := s.requested(); got != c.requested {
				t.Errorf("words requested %d times, want %d", got, c.requested)
			}
		})
	}
}

// The card follows a page that changes its language, which may have a region, also one written with an underscore. Arabic, Hebrew and Persian cards are written from right to left, and stay where
// they are.
func TestWidgetFollowsThePageToAnotherLanguage(t *testing.T) {
	t.Parallel()
	s := openSpeaker(t, e2e.Start(t), `lang="en"`, "", nil)
	for _, c := range []struct{ code, want string }{
		{"en", "Ada just signed up with one of our partners!|now|Close|Signups|en|ltr"},
		{"en-GB", "Ada just signed up with one of our partners!|now|Close|Signups|en-GB|ltr"},
		{"de-AT", "Ada hat sich gerade bei einem unserer Partner angemeldet!|jetzt|Schließen|Anmeldungen|de-AT|ltr"},
		{"de_DE", "Ada hat sich gerade bei einem unserer Partner angemeldet!|jetzt|Schließen|Anmeldungen|de-DE|ltr"},
		{"not a language", "Ada just signed up with one of our partners!|now|Close|Signups|en|ltr"},
		{"ps", "Ada just signed up with one of our partners!|now|Close|Signups|en|ltr"}, // not built in
		{"ar", "تسجيل جديد لدى أحد شركائنا: Ada!|الآن|إغلاق|التسجيلات|ar|rtl"},
		{"he-IL", "הרשמה חדשה אצל אחד השותפים שלנו: Ada!|עכשיו|סגירה|הרשמות|he-IL|rtl"},
		{"iw", "הרשמה חדשה אצל אחד השותפים שלנו: Ada!|עכשיו|סגירה|הרשמות|he|rtl"}, // Hebrew's former code
		{"fa-IR", "Ada همین حالا در یکی از شرکت\u200cهای همکار ما ثبت\u200cنام کرد!|اکنون|بستن|ثبت\u200cنام\u200cها|fa-IR|rtl"},
		{"pt-BR", "Ada acabou de se cadastrar em um dos nossos parceiros!|agora|Fechar|Cadastros|pt-BR|ltr"},
		{"pt-PT", "Ada acabou de aderir a um dos nossos parceiros!|agora|Fechar|Adesões|pt-PT|ltr"},
		{"zh-CN", "Ada刚刚在我们的一个合作平台完成了注册！|现在|关闭|注册动态|zh-CN|ltr"},
		{"zh-Hant-TW", "Ada剛剛在我們的一個合作平台完成了註冊！|現在|關閉|註冊動態|zh-Hant-TW|ltr"},
		{"no", "Ada har nettopp registrert seg hos en av våre partnere!|nå|Lukk|Registreringer|no|ltr"},
		{"ja", "Adaさんがたった今、提携パートナーの1社に登録しました！|今|閉じる|登録のお知らせ|ja|ltr"},
	} {
		e2e.Eval[chromedp.Void](t, s.tab, "document.documentElement.lang = '"+c.code+"'")
		if got := s.says(t, 0, []string{"offer_name"}); got != c.want {
			t.Errorf("%s: got %q, want %q", c.code, got, c.want)
		}
	}
	if got := e2e.Eval[float64](t, s.tab, "Math.max(...fromRight)"); got > 100 {
		t.Errorf("a card is %.0f px from the right edge, want all to stay there", got)
	}
	if got := s.requested(); got != 1 {
		t.Errorf("words requested %d times, want once for all languages", got)
	}
}

// When the second file fails or does not come in time, cards show in English, and the page is told nothing.
func TestWidgetSpeaksEnglishWithoutItsWords(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t)
	for name, words := range map[string]http.HandlerFunc{
		"not found": http.NotFound, "unavailable": e2e.Unavailable, "cut": e2e.Cut, "held back": e2e.Hang,
		"no JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			fmt.Fprint(w, "<!doctype html>")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openSpeaker(t, p, `lang="de"`, "", words)
			lines := console(t, s.tab)
			if got := s.says(t, 0, []string{"user_name", "offer_name"}); got != english {
				t.Errorf("got %q, want %q", got, english)
			}
			for _, line := range lines() {
				if strings.HasPrefix(line, "console.") || strings.HasPrefix(line, "thrown") {
					t.Errorf("the console says %q", line)
				}
			}
		})
	}
}

// The sentence of a kind in a language wins over that of the kind, that over the language's, and that over the plain one.
func TestWidgetChoosesTheSentence(t *testing.T) {
	t.Parallel()
	s := openSpeaker(t, e2e.Start(t), `lang="de-AT"`, `data-template="plain" data-template-de="de" data-template-order="order"
		data-template-review="review" data-template-review-de="review de" data-template-past="past" data-template-past-review="past review"`, nil)
	for _, c := range []struct {
		name string
		age  time.Duration
		kind string
		want string
	}{
		{"no kind", 0, "", "de"}, {"a kind with no sentence", 0, "kind=refund", "de"},
		{"a kind with a sentence", 0, "kind=order", "order"}, {"a kind with a sentence in the language", 0, "kind=review", "review de"},
		{"the past of such a kind", time.Hour, "kind=review", "past review"}, {"the past of another", time.Hour, "kind=order", "past"},
	} {
		var fields []string
		if c.kind != "" {
			fields = []string{c.kind}
		}
		if got, _, _ := strings.Cut(s.says(t, c.age, nil, fields...), "|"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
