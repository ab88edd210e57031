// The list of kept signups, for whoever has the API key of their site.

import {$, apiKey, complain, make, send} from './demo-fields.js';
import {compare, forgetKey, numbers} from './demo-site.js';
import {ask, now, trouble} from './demo-service.js';

const PAGE = 50;
const intro = $('kept-state').textContent;

let events = [];              // newest first
let more = false;             // whether older ones may be kept
const rows = new Map();       // by id

function state(text, bad) {
  $('kept-state').textContent = text.trim();
  $('kept-state').classList.toggle('bad', !!bad);
}

// ---- Rows

const ago = new Intl.RelativeTimeFormat('en', {numeric: 'auto'});

function age(at) {
  const minutes = Math.max(0, Math.floor((now() - Date.parse(at)) / 60_000));
  if (minutes < 1) return 'now';
  if (minutes < 60) return ago.format(-minutes, 'minute');
  return minutes < 1440 ? ago.format(-Math.floor(minutes / 60), 'hour') : ago.format(-Math.floor(minutes / 1440), 'day');
}

// What was posted is text of any language and direction, and is not to be translated.
const posted = (className, textContent) => make('bdi', {className, textContent, translate: false});

function rowOf(event) {
  const erase = make('button', {type: 'button', textContent: 'Erase', ariaLabel: `Erase ${event.user_name}, ${event.offer_name}, ${event.id}`});
  erase.addEventListener('click', () => eraseEvent(event.id));
  return make('li', {},
    make('p', {className: 'who'}, posted('name', event.user_name), ' ', posted('', event.offer_name), ' ',
      make('span', {className: 'tag', textContent: event.kind ?? '', hidden: !event.kind})),
    make('p', {className: 'meta'}, posted('place', event.place ?? ''), ' ',
      make('time', {dateTime: event.at, title: new Date(event.at).toLocaleString()}), ' ', make('code', {textContent: event.id})),
    erase);
}

// draw brings the rows up to date. A row that stays is not moved: it may have the focus.
function draw() {
  const list = $('kept');
  const wanted = new Set(events.map(({id}) => id));
  for (const [id, row] of rows) {
    if (wanted.has(id)) continue;
    row.remove();
    rows.delete(id);
  }
  events.forEach((event, i) => {
    if (!rows.has(event.id)) rows.set(event.id, rowOf(event));
    const row = rows.get(event.id);
    if (list.children[i] != row) list.insertBefore(row, list.children[i] ?? null);
  });
  for (const time of list.querySelectorAll('time')) time.textContent = age(time.dateTime);
  $('older').hidden = !more;
  $('kept-count').textContent = events.length ? `${events.length} shown, newest first` : '';
}

// ---- What the service keeps

let asked = 0;                // of several answers, that to the last question counts
let note = '';                // what was done last with the list of this key
let refused;                  // a key that is not asked with again by itself: wrong ones are counted by address

const newestKept = key => ask('admin/events?limit=' + PAGE, {key});

// refresh lists the newest signups; older ones that were loaded stay. It also finds out whether the API key is the site's.
export async function refresh() {
  const turn = ++asked;
  const key = apiKey();
  if (!key) return forget(intro);
  const answer = await newestKept(key);
  if (turn == asked) list(answer, key);
  if (answer.status == 200 && key == apiKey()) await compare(answer.data.events, async () => (await newestKept(key)).data.events);
}

function list(answer, key) {
  refused = answer.status == 401 ? key : '';
  complain(send.elements.key, refused && 'The service does not know this key.');
  if (answer.status != 200) return forget(trouble(answer), true);
  const newest = answer.data.events;
  const joint = newest.length < PAGE ? -1 : events.findIndex(({id}) => id == newest.at(-1).id);
  if (joint < 0) more = newest.length == PAGE;
  events = newest.concat(joint < 0 ? [] : events.slice(joint + 1));
  draw();
  state(events.length ? note : note + ' Nothing is kept. What you send, or what your backend posts, comes here.');
}

// forget empties the list of a key that does not hold.
function forget(text, bad) {
  events = [];
  more = false;
  draw();
  state(text, bad);
  forgetKey();
}

$('older').addEventListener('click', async () => {
  const before = events.at(-1).id;
  const answer = await ask(`admin/events?limit=${PAGE}&before=${before}`, {key: apiKey()});
  if (events.at(-1)?.id != before) return;   // another list shows by now
  if (answer.status != 200) return state(trouble(answer), true);
  const first = answer.data.events[0];
  events = events.concat(answer.data.events);
  more = answer.data.events.length == PAGE;
  draw();
  if (!more) (rows.get(first?.id)?.querySelector('button') ?? $('kept-title')).focus();   // the button has gone
});

// eraseEvent erases a signup. The focus goes to the next row, to the one before when there is none, else to the title.
async function eraseEvent(id) {
  const answer = await ask('signup/' + id, {method: 'DELETE', key: apiKey()});
  if (answer.status != 204) return state(trouble(answer), true);
  refreshSoon();
  asked++;                    // an answer that is under way may still have it
  const i = events.findIndex(event => event.id == id);
  if (i < 0) return;
  const next = events[i + 1] ?? events[i - 1];
  events.splice(i, 1);
  (rows.get(next?.id)?.querySelector('button') ?? $('kept-title')).focus();
  draw();
  note = `Erased ${id}, and withdrawn from every open page.`;
  state(note);
  document.dispatchEvent(new CustomEvent('erased', {detail: id}));
  numbers();
}

// ---- When to look again

let settling;
export function refreshSoon(delay = 250) {
  clearTimeout(settling);
  settling = setTimeout(() => apiKey() && apiKey() == refused || refresh(), delay);
}

document.addEventListener('heard', () => apiKey() && refreshSoon(0));
send.elements.key.addEventListener('change', () => {
  note = '';
  refresh();
});
send.elements.key.addEventListener('input', () => {
  asked++;
  // Keys have at least 16 characters; each that is tried and wrong counts against this address.
  refreshSoon(apiKey().length < 16 ? 0 : 600);
});
setInterval(draw, 30_000);    // the ages
