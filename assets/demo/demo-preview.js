// Preview: the card shows on this page, or in the frame; never in both, as one browser shows one card.

import {$} from './demo-fields.js';
import {setting, settings} from './demo-settings.js';
import {siteName, siteTrouble} from './demo-site.js';
import {base} from './demo-service.js';

const frame = $('frame');
const screens = {page: [1024, 640], desktop: [1024, 640], phone: [375, 667]};
const hints = {
  page: 'Cards show in the corner of this page, as they would on yours.',
  desktop: 'Cards show in this window.',
  phone: 'Cards show on this phone: swipe or × closes.',
};

export const view = () => document.querySelector('[name=view]:checked').value;
const inFrame = () => view() != 'page';

// The widget begins to listen about a second after its page has loaded: what is sent before shows no card.
const settled = target => new Promise(done => target.addEventListener('load', () => setTimeout(done, 1500), {once: true}));
const pageSettled = document.readyState == 'complete' ? Promise.resolve() : settled(window);
let frameSettled;
export const listening = () => inFrame() ? frameSettled : pageSettled;

// fit scales the screen so that the whole device, with what is said above and below it, fits in the window.
export function fit() {
  const [width, height] = screens[view()];
  const stage = $('stage'), screen = $('screen'), glass = frame.parentElement;
  const space = screen.clientWidth - (view() == 'phone' ? 40 : 2 * parseFloat(getComputedStyle(screen).paddingLeft));
  const around = stage.offsetHeight - glass.offsetHeight;
  const scale = Math.min(1, space / width, Math.max(.5, (innerHeight - around - 32) / height));
  Object.assign(frame.style, {width: width + 'px', height: height + 'px', transform: `scale(${scale})`});
  Object.assign(glass.style, {width: width * scale + 'px', height: height * scale + 'px'});
}

// reveal scrolls to the device on which a card is about to show.
export function reveal() {
  if (!inFrame()) return;
  const behavior = matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth';
  $('stage').scrollIntoView({block: 'nearest', behavior});
}

// hint says what to expect of the preview with these settings.
function hint() {
  if (!inFrame()) return hints.page + (siteName() == 'default' ? '' : ' Here they are those of the site default.');
  if (siteTrouble()) return 'No cards: correct the site first.';
  if (setting('card') == 'off') return 'No card: your code draws its own from the events.';
  if (setting('mobile') == 'off' && view() == 'phone') return 'No cards under 768 pixels.';
  return hints[view()] + (setting('consent') ? ' This visitor agrees after two seconds.' : '') +
    (setting('show-on') + setting('hide-on') ? ' Paths are not looked at here.' : '');
}

// expect says why a signup that is sent shows no card in the preview, or returns an empty text.
export function expect({offer_name = 'one of our partners', kind = 'signup'}) {
  const among = (name, value) => !setting(name) || setting(name).split('|').some(one => one.trim() == value);
  if (!inFrame() || among('offer', offer_name) && among('kind', kind)) return '';
  return ' It shows no card in the preview: “Only offers” or “Only kinds” leaves it out.';
}

// Each change starts as a new visitor would: what was seen or closed while trying is forgotten.
export function preview() {
  for (const storage of ['localStorage', 'sessionStorage']) {
    try {
      Object.keys(window[storage]).filter(key => key.startsWith('proofstream')).forEach(key => window[storage].removeItem(key));
    } catch {}
  }
  const tag = settings().filter(([name]) => !/^(show|hide)-on$/.test(name)).map(([name, value]) => ['data-' + name, value]);
  const wanted = new URLSearchParams(inFrame() && !siteTrouble() ? [['src', base + 'assets/proof.js'], ...tag] : []);
  $('screen').className = 'screen ' + (view() == 'phone' ? 'phone' : 'desktop');
  $('hint').textContent = hint();
  $('again').hidden = !inFrame();
  fit();
  frameSettled = settled(frame);
  frame.contentWindow.location.replace(`${base}assets/shop.html?${Date.now()}#${wanted}`);
  yieldTurn();
}

// A card held on this page would keep its turn, and the frame would wait for it: it closes.
function yieldTurn() {
  const own = $('proof-popup');
  if (!own?.pause) return;
  if (!inFrame()) return own.resume();
  own.shadowRoot.querySelector('[part=close]').click();
  own.pause();
}

// showHere shows an event as a test on this page or in the frame only, and returns what to tell.
export function showHere(event) {
  const popup = (inFrame() ? frame.contentDocument : document)?.getElementById('proof-popup');
  reveal();
  if (inFrame() && setting('card') == 'off') return 'Not shown: “Card” is set to none.';
  if (!popup?.show) return 'The widget is not here: it may still load, or a content blocker of your browser stops it.';
  popup.show(event);
  return 'Shown to you alone, marked “Test”.';
}

// The kinds of events of the widget after which what is kept, or who watches, may be another.
const spoken = ['proof:show', 'proof:signup', 'proof:retract'];
let telling;
function heard() {                // of a burst, a few times a second
  telling ||= setTimeout(() => {
    telling = 0;
    document.dispatchEvent(new Event('heard'));
  }, 250);
}
for (const type of spoken) document.addEventListener(type, heard);

function watchCards(page) {
  const most = +setting('max-per-page');
  let shown = 0;
  page.addEventListener('proof:show', ({detail}) => {
    if (detail.id && ++shown == most) $('hint').textContent = `That was card ${most} of ${most} per page: this visitor sees no more.`;
  });
  page.addEventListener('proof:signup', ({detail}) => {
    if (setting('card') == 'off') $('hint').textContent = `Your code hears proof:signup: ${detail.user_name}, ${detail.offer_name}.`;
  });
  for (const type of spoken) page.addEventListener(type, heard);
}

frame.addEventListener('load', () => {
  const page = frame.contentDocument;
  if (!page) return;
  watchCards(page);
  const asked = page.querySelector('[data-consent=wait]');
  if (asked) setTimeout(() => asked.dataset.consent = 'given', 2000);
  // A card's link leads about the visitor's page, not about this preview.
  page.addEventListener('click', event => {
    if (event.target.id == 'proof-popup' && event.composedPath()[0].closest('a')) event.preventDefault();
  });
});

for (const choice of document.querySelectorAll('[name=view]')) {
  choice.addEventListener('change', () => {
    preview();
    reveal();
  });
}
$('again').addEventListener('click', preview);
new ResizeObserver(fit).observe($('screen'));
addEventListener('resize', fit);
