// The test signup: to every visitor of the site, or on this page alone.

import {$, apiKey, check, send, siteField} from './demo-fields.js';
import {refresh} from './demo-kept.js';
import {expect, listening, reveal, showHere} from './demo-preview.js';
import {numbers, siteTrouble, tellSite} from './demo-site.js';
import {ask, base, trouble} from './demo-service.js';

const people = [['Ada', 'Spring Sale'], ['José', 'the newsletter'], ['Noor', 'a glazing workshop'], ['佐藤 花', 'Spring Sale'], ['Zoë & Sam', 'the loyalty club'], ['ليلى', 'Spring Sale'], ['Łukasz', 'early access']];
let turn = 0;
let latest;                       // id of what was sent last

function say(text, bad) {
  $('outcome').textContent = text;
  $('outcome').classList.toggle('bad', !!bad);
}

function body() {
  const fields = {};
  for (const name of ['user_name', 'offer_name', 'place', 'url', 'img_path', 'kind']) {
    const value = send.elements[name].value.trim();
    if (value) fields[name] = value;
  }
  return fields;
}

// Someone else comes next, unless the name was typed in.
function nextPerson() {
  const {user_name, offer_name} = send.elements;
  if (people.some(([name]) => name == user_name.value)) [user_name.value, offer_name.value] = people[++turn % people.length];
}

// A key that belongs to another site than the one named would show the test to the wrong visitors.
async function rightSite() {
  await Promise.all([numbers(), refresh()]);
  if (!siteTrouble(true)) return true;
  tellSite();
  say('Not sent: see what is said about the site.', true);
  siteField.focus();
  return false;
}

// post posts what the form says, and returns whether it was stored.
async function post() {
  if (!await rightSite()) return;
  const fields = body();
  reveal();
  say('Sending …');
  await listening();
  const answer = await ask('signup', {method: 'POST', key: apiKey(), body: fields});
  if (answer.status != 200) return say(trouble(answer), true);
  latest = answer.data.id;
  say(`Stored as ${latest}.${expect(fields)} ${(answer.data.notes ?? []).join(' ')}`.trim());
  $('withdraw').hidden = false;
  nextPerson();
  return true;
}

let posting;
send.addEventListener('submit', async event => {
  event.preventDefault();
  if (posting) return;
  posting = true;
  const stored = await post();
  posting = false;
  if (!stored) return;
  const id = latest;
  await Promise.all([numbers(), refresh()]);
  if (siteTrouble(true)) say(`Stored as ${id}, but for another site: see what is said about the site.`, true);
});

// The event is as the service would make it of the same fields.
$('show').addEventListener('click', () => {
  if (!send.elements.kind.reportValidity()) return;
  const fields = body();
  const blank = ['user_name', 'offer_name'].filter(name => !fields[name]);
  const event = {img_path: 'default', user_name: 'someone', offer_name: 'one of our partners', ...fields};
  if (blank.length) event.blank = blank;
  say(showHere(event));
  nextPerson();
});

$('withdraw').addEventListener('click', async () => {
  const answer = await ask('signup/' + latest, {method: 'DELETE', key: apiKey()});
  if (answer.status != 204) return say(trouble(answer), true);
  say('Erased, and withdrawn from every open page.');
  $('withdraw').hidden = true;
  numbers();
  refresh();
});

document.addEventListener('erased', ({detail}) => {
  if (detail == latest) $('withdraw').hidden = true;
});

export function command() {
  $('curl').textContent = `curl ${base}signup \\\n  -H 'Authorization: Bearer YOUR_KEY' \\\n  --json '${JSON.stringify(body()).replace(/'/g, "'\\''")}'`;
}

send.addEventListener('input', ({target}) => {
  if (target.name == 'kind') check(target);
  command();
});
