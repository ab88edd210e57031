// The demo page: a preview that follows the controls, a test signup, the snippet, the numbers.

const $ = id => document.getElementById(id);
const frame = $('frame');
const send = $('send');
const adjust = $('adjust');
const origin = location.origin;

// ---- The key comes in the fragment, which no server is sent; it is kept in memory only.

function takeKey() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (!fragment.has('key')) return;
  send.elements.key.value = fragment.get('key');
  history.replaceState(null, '', location.pathname + location.search);
}
takeKey();
addEventListener('hashchange', takeKey);   // pasted into the address bar while the page is open

// ---- Settings: what the controls say, as attributes of the tag

// What the sentence fields begin with in a language, so that a preview in it reads well at once.
const sentences = {
  de: ['{user_name} hat sich gerade für {offer_name} angemeldet!', '{user_name} hat sich für {offer_name} angemeldet'],
  fr: ['{user_name} vient de s’inscrire à {offer_name} !', '{user_name} s’est inscrit à {offer_name}'],
  es: ['¡{user_name} acaba de apuntarse a {offer_name}!', '{user_name} se apuntó a {offer_name}'],
  'pt-br': ['{user_name} acabou de se inscrever em {offer_name}!', '{user_name} se inscreveu em {offer_name}'],
  ja: ['{user_name}さんが{offer_name}に登録しました！', '{user_name}さんが{offer_name}に登録'],
  ar: ['سجّل {user_name} للتو في {offer_name}!', 'سجّل {user_name} في {offer_name}'],
  he: ['{user_name} נרשם זה עתה אל {offer_name}!', '{user_name} נרשם אל {offer_name}'],
};

function attributes() {
  const language = adjust.elements.lang.value;
  const chosen = [];
  for (const control of adjust.elements) {
    const value = control.name && control.value.trim();
    if (!value || !control.checkValidity()) continue;
    const own = control.name.startsWith('template') && language ? '-' + language : '';
    chosen.push(['data-' + control.name + own, value]);
  }
  return chosen;
}

// ---- Preview: the card shows on this page, or in the frame; never in both, as one browser shows one card.

const screens = {page: [1024, 640], desktop: [1024, 640], phone: [375, 667]};
const hints = {
  page: 'Cards show in the corner of this page, as they would on yours.',
  desktop: 'Cards show in this window.',
  phone: 'Cards show on this phone: swipe or × closes.',
};

const view = () => document.querySelector('[name=view]:checked').value;

function fit() {
  const [width, height] = screens[view()];
  const space = $('screen').clientWidth - (view() == 'phone' ? 40 : 2 * parseFloat(getComputedStyle($('screen')).paddingLeft));
  const scale = Math.min(1, space / width);
  Object.assign(frame.style, {width: width + 'px', height: height + 'px', transform: `scale(${scale})`});
  Object.assign(frame.parentElement.style, {width: width * scale + 'px', height: height * scale + 'px'});
}

// Each change starts as a new visitor would: what was seen or closed while trying is forgotten.
function preview() {
  const inFrame = view() != 'page';
  for (const storage of ['localStorage', 'sessionStorage']) {
    try {
      Object.keys(window[storage]).filter(key => key.startsWith('proofstream')).forEach(key => window[storage].removeItem(key));
    } catch {}
  }
  const wanted = new URLSearchParams(inFrame ? [['src', '/assets/proof.js'], ...attributes()] : []);
  $('screen').className = 'screen ' + (view() == 'phone' ? 'phone' : 'desktop');
  $('hint').textContent = hints[view()] + (inFrame && adjust.elements.consent.value ? ' This visitor agrees after two seconds.' : '');
  fit();
  frame.contentWindow.location.replace('/assets/shop.html?' + Date.now() + '#' + wanted);
  const own = $('proof-popup');
  if (own?.pause) {
    // A card held here would keep its turn, and the frame would wait for it: it closes.
    if (inFrame) own.shadowRoot.querySelector('[part=close]').click();
    inFrame ? own.pause() : own.resume();
  }
}

frame.addEventListener('load', () => {
  const asked = frame.contentDocument?.querySelector('[data-consent=wait]');
  if (asked) setTimeout(() => asked.dataset.consent = 'given', 2000);
  // A card's link leads about the visitor's page, not about this preview.
  frame.contentDocument?.addEventListener('click', event => {
    if (event.target.id == 'proof-popup' && event.composedPath()[0].closest('a')) event.preventDefault();
  });
});

for (const choice of document.querySelectorAll('[name=view]')) choice.addEventListener('change', preview);
new ResizeObserver(fit).observe($('screen'));

// ---- Snippet

const escape = text => text.replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;');
let pinned;

function snippet() {
  const tag = [['src', origin + '/assets/proof.js']];
  if ($('pin').checked && pinned) {
    tag[0][1] = origin + pinned.path;
    tag.push(['integrity', pinned.integrity], ['crossorigin', 'anonymous']);
  }
  const words = [...tag, ...attributes()].map(([name, value]) => `${name}="${escape(value)}"`);
  const text = '<script async ' + words.join('\n        ') + '></script>';
  // A narrow panel breaks its lines after a slash, which is no part of what is copied.
  $('snippet').replaceChildren(...text.split(/(?<=\w\/)(?=\w)/).flatMap(piece => [piece, document.createElement('wbr')]));
}

$('pin').addEventListener('change', async () => {
  $('pin-help').hidden = !$('pin').checked;
  try {
    pinned ??= (await (await fetch('/assets/manifest.json')).json())['proof.js'];
  } catch {
    $('pin').checked = false;
  }
  snippet();
});

$('copy').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText($('snippet').textContent);
    $('copied').textContent = 'Copied. Paste it anywhere in your page.';
  } catch {
    getSelection().selectAllChildren($('snippet'));
    $('copied').textContent = 'Selected: copy it with your keyboard.';
  }
});

let settling;
adjust.addEventListener('input', event => {
  const {lang, template, 'template-past': past} = adjust.elements;
  if (event.target == lang) [template.value, past.value] = sentences[lang.value] || ['', ''];
  $('copied').textContent = '';
  snippet();
  clearTimeout(settling);
  settling = setTimeout(() => {
    if (view() == 'page') document.querySelector(`[value=${innerWidth < 768 ? 'phone' : 'desktop'}]`).checked = true;
    preview();
    numbers();
  }, 300);
});
adjust.addEventListener('submit', event => event.preventDefault());
$('reset').addEventListener('click', () => {
  adjust.reset();
  $('pin').checked = false;
  $('pin-help').hidden = true;
  snippet();
  preview();
});

// ---- Test signup

const people = [['Ada', 'Spring Sale'], ['José', 'the newsletter'], ['Noor', 'a glazing workshop'], ['佐藤 花', 'Spring Sale'], ['Zoë & Sam', 'the loyalty club'], ['ليلى', 'Spring Sale'], ['Łukasz', 'early access']];
let turn = 0;
let latest;

function say(text, bad) {
  $('outcome').textContent = text;
  $('outcome').classList.toggle('bad', !!bad);
}

function body() {
  const fields = {};
  for (const name of ['user_name', 'offer_name', 'place', 'url', 'img_path']) {
    const value = send.elements[name].value.trim();
    if (value) fields[name] = value;
  }
  return fields;
}

// post answers the parsed body of a success and tells of everything else; it never throws.
async function post(path, options) {
  try {
    const response = await fetch(path, {...options,
      headers: {'Content-Type': 'application/json', Authorization: 'Bearer ' + send.elements.key.value.trim()}});
    if (response.status == 204) return {};
    const answer = await response.json();
    if (response.ok) return answer;
    say((answer.field ? answer.field + ': ' : '') + (answer.detail || answer.title), true);
  } catch {
    say('No answer from the service.', true);
  }
}

send.addEventListener('submit', async event => {
  event.preventDefault();
  const answer = await post('/signup', {method: 'POST', body: JSON.stringify(body())});
  if (!answer) return;
  latest = answer.id;
  say('Stored as ' + latest + '.');
  $('withdraw').hidden = false;
  const {user_name, offer_name} = send.elements;
  if (people.some(([name]) => name == user_name.value)) [user_name.value, offer_name.value] = people[++turn % people.length];
  numbers();
});

$('withdraw').addEventListener('click', async () => {
  if (!await post('/signup/' + latest, {method: 'DELETE'})) return;
  say('Erased, and withdrawn from every open page.');
  $('withdraw').hidden = true;
  numbers();
});

function command() {
  $('curl').textContent = `curl ${origin}/signup \\\n  -H 'Authorization: Bearer YOUR_KEY' \\\n  --json '${JSON.stringify(body()).replace(/'/g, "'\\''")}'`;
}
send.addEventListener('input', command);

// ---- Numbers of the moment

async function numbers() {
  if (document.hidden) return;
  try {
    const site = adjust.elements.site.value.trim() || 'default';
    const {subscribers, events} = await (await fetch('/stats?site=' + encodeURIComponent(site))).json();
    $('subscribers').textContent = (subscribers ?? '–').toLocaleString();
    $('events').textContent = (events ?? '–').toLocaleString();
  } catch {}
}

setInterval(numbers, 3000);
document.addEventListener('proof:show', numbers);

// A browser may have kept, over a reload, what was chosen before: everything follows it but the view.
document.querySelector('[name=view]').checked = true;
$('policy').textContent = origin;
fit();
command();
snippet();
numbers();
