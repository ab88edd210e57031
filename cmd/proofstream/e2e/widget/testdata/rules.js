// The rules of the widget that need no page, each with what it gives and what it should.
import {isSafe} from '/widget/address.js';
import {inWords} from '/widget/age.js';
import {backoff} from '/widget/backoff.js';
import {chain, direction, known} from '/widget/language.js';
import {matches} from '/widget/paths.js';
import {fill} from '/widget/template.js';

const MINUTE = 60_000;
const rows = [];
const check = (name, got, want) => rows.push({name, got: JSON.stringify(got), want: JSON.stringify(want)});

for (const [age, code, want] of [
  [0, 'en', 'now'], [59_999, 'de', 'jetzt'], [MINUTE, 'en', '1 minute ago'], [59 * MINUTE, 'en', '59 minutes ago'],
  [60 * MINUTE, 'en', '1 hour ago'], [1439 * MINUTE, 'fr', 'il y a 23 heures'], [1440 * MINUTE, 'en', '1 day ago'],
]) check(`age of ${age} ms in ${code}`, inWords(age, code), want);

for (const [address, want] of [
  ['https://shop.example/a?b#c', true], ['https://[::1]:8443', true], ['/a', true], ['/', true],
  ['http://shop.example/', false], ['//cdn.example/a', false], ['/%2fcdn.example', false], ['/%5Ccdn.example', false], ['javascript:alert(1)', false],
  ['https://user@shop.example/', false], ['https:shop.example', false], ['a.png', false], ['/a b', false], ['/ä', false], ['/a"b', false], ['', false], [undefined, false],
  ['/' + 'a'.repeat(2047), true], ['/' + 'a'.repeat(2048), false],
]) check(`address ${String(address).slice(0, 40)}`, isSafe(address), want);

for (const [tries, random, want] of [[0, 1, 1000], [1, 1, 2000], [2, .5, 2000], [5, 1, 32_000], [6, 1, 60_000], [2000, 1, 60_000], [3, 0, 0]])
  check(`back-off after ${tries}`, backoff(tries, random), want);
for (let i = 0; i < 100; i++) check('back-off within its bounds', backoff(1) >= 0 && backoff(1) < 2000, true);

for (const [patterns, path, want] of [
  ['/', '/', true], ['/', '/a', false], ['/shop*', '/shop', true], ['/shop*', '/shop/42', true], ['/shop*', '/Shop', false], ['/shop/*', '/shop', false],
  ['/a, /b', '/b', true], ['*/checkout', '/de/checkout', true], ['*/checkout', '/de/checkout/', false], ['/a.b', '/axb', false], ['/a+(b)', '/a+(b)', true],
  ['/größe*', '/gr%C3%B6%C3%9Fe/1', true], ['/gr%C3%B6%C3%9Fe', '/gr%C3%B6%C3%9Fe', true], ['*', '/anything/at/all', true],
]) check(`${patterns} on ${path}`, matches(patterns, path), want);

const event = {user_name: 'Ada', offer_name: '{place}', place: ''};
for (const [name, template, want] of [
  ['a sentence', '{user_name} chose {offer_name}!', ['', ['Ada'], ' chose ', ['{place}'], '!']],
  ['what is missing collapses', '{user_name} from {place} is here', ['', ['Ada'], ' from is here']],
  ['no placeholder', '  Somebody\n signed  up ', ['Somebody signed up']],
  ['a placeholder that is none', '{user_name} {api_key}', ['', ['Ada'], ' {api_key}']],
  ['a placeholder twice', '{user_name}{user_name}', ['', ['Ada'], '', ['Ada'], '']],
]) check(name, fill(template, event), want);

check('de_DE is de-DE', known('de_DE'), 'de-DE');
check('no language', known('not a language'), '');
check('a language in capitals', known('PT-br'), 'pt-BR');
check('from the most specific', chain('zh-Hant-TW'), ['zh-hant-tw', 'zh-hant', 'zh']);
check('none', chain(''), []);
for (const code of ['ar', 'he', 'fa', 'ur', 'dv']) check(code, direction(code), 'rtl');
for (const code of ['en', 'de', 'ja', 'az']) check(code, direction(code), 'ltr');

// The queue is a module with its state: each address gives a fresh one.
let fresh = 0;
const queue = () => import('/widget/queue.js?' + ++fresh);
const at = second => ({id: 'e-' + second, at: new Date(second * 1000).toISOString()});
const inOrder = q => {
  const ids = [];
  for (let next = q.nextInLine(); next; next = q.nextInLine()) {
    ids.push(next.id);
    q.drop(next);
  }
  return ids;
};

let q = await queue();
for (const second of [3, 1, 2]) q.enqueue(at(second), true);
check('oldest first', inOrder(q), ['e-1', 'e-2', 'e-3']);
check('what has left is not new', [q.isNew(at(1)), q.isNew(at(4))], [false, true]);

q = await queue();
q.enqueue(at(1), false);
q.enqueue(at(2), true);
check('live before past', inOrder(q), ['e-2', 'e-1']);

q = await queue();
for (let second = 1; second <= 100; second++) q.enqueue(at(second), true);
check('the newest ten wait', inOrder(q), Array.from({length: 10}, (_, i) => 'e-' + (91 + i)));

q = await queue();
for (let second = 1; second <= 8; second++) q.enqueue(at(second), true);
q.keepNewest(3);
check('the newest three after an absence', inOrder(q), ['e-6', 'e-7', 'e-8']);

q = await queue();
q.drop(at(1));
q.drop(at(2));
q.enqueue(at(2), true);
q.forgetWaiting();
check('what waited may come again, what was shown may not', [q.isNew(at(1)), q.isNew(at(2)), q.nextInLine() ?? 'none'], [false, true, 'none']);

export default rows;
