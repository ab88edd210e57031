// Settings: what the controls say, and the words that are built in for a language.

import {$, adjust, check, make} from './demo-fields.js';
import {ask} from './demo-service.js';

let builtIn = {};   // by language code

const language = () => adjust.elements.lang.value;

// settings returns names and values of the tag's attributes, the names without "data-". What cannot be read is left out.
export function settings() {
  const own = language() && '-' + language();
  const chosen = [];
  const add = (name, control) => {
    const value = control.value.trim();
    if (value && control.validity.valid) chosen.push([name, value]);
  };
  for (const control of adjust.elements) {
    if (control.name) add(control.name + ('words' in control.dataset ? own : ''), control);
  }
  for (const row of $('kinds').children) {
    const [kind, live, past] = row.querySelectorAll('input');
    if (!kind.value.trim() || !kind.validity.valid) continue;
    add(`template-${kind.value.trim()}${own}`, live);
    add(`template-past-${kind.value.trim()}${own}`, past);
  }
  return chosen;
}

// setting returns one of the settings, or an empty text.
export const setting = name => settings().find(([other]) => other == name)?.[1] ?? '';

// speak shows, in the empty fields of the words, those that the language has built in.
export function speak() {
  const words = builtIn[language() || 'en'] || {};
  const script = new Intl.Locale(language() || 'en').maximize().script;
  for (const control of adjust.querySelectorAll('[data-words], #kinds [data-word]')) {
    control.placeholder = words[control.dataset.word || control.name] || '';
    control.dir = /Arab|Hebr|Thaa/.test(script) ? 'rtl' : 'auto';
  }
}

// loadLanguages offers the languages that the service has built in: English alone when it cannot tell.
export async function loadLanguages() {
  const {status, data} = await ask('assets/proof.words.json');
  if (status != 200) return;
  builtIn = data;
  speak();
  const named = Object.keys(data).filter(code => code != 'en')
    .map(code => [new Intl.DisplayNames([code], {type: 'language'}).of(code), code])
    .sort(([a], [b]) => a.localeCompare(b));
  $('lang').append(...named.map(([name, code]) => make('option', {value: code, textContent: name[0].toLocaleUpperCase(code) + name.slice(1), lang: code})));
}

// ---- Sentences for a kind

function sentenceRow() {
  const kind = make('input', {pattern: '(?!past(-|$))[a-z0-9\\-]{1,32}', placeholder: 'order', autocomplete: 'off', spellcheck: false});
  kind.dataset.rule = 'A kind has 1 to 32 characters, a to z, 0 to 9 and hyphens, and is not called past.';
  const sentence = word => {
    const input = make('input', {dir: 'auto'});
    input.dataset.word = word;
    return input;
  };
  const remove = make('button', {type: 'button', textContent: 'Remove', ariaLabel: 'Remove this sentence'});
  const row = make('div', {className: 'kind', role: 'group', ariaLabel: 'Sentence for a kind'},
    make('div', {className: 'pair'}, make('label', {}, 'Kind ', kind), remove),
    make('label', {}, 'Its sentence ', sentence('template')),
    make('label', {}, 'Its sentence after five minutes ', sentence('template-past')));
  remove.addEventListener('click', () => {
    row.remove();
    $('add-kind').focus();
    adjust.dispatchEvent(new Event('input', {bubbles: true}));
  });
  return row;
}

$('add-kind').addEventListener('click', () => {
  const row = sentenceRow();
  $('kinds').append(row);
  speak();
  row.querySelector('input').focus();
});

adjust.addEventListener('input', ({target}) => {
  check(target);
  if (target.name == 'lang') speak();
});

adjust.addEventListener('reset', () => {
  $('kinds').replaceChildren();
  setTimeout(() => {   // the values change after the event
    speak();
    [...adjust.elements].forEach(check);
  });
});
