import {chain} from './language.js';
import {language, serviceURL, text} from './settings.js';
import {SECOND} from './time.js';

// The words are what the card says in a language: the tag's words, else those of the second file, else English.
const PATIENCE = 4 * SECOND;        // for the second file

// Languages with words in proof.words.json.
const BUILT_IN = 'ar bg ca cs da de el es fa fi fr he hi hr hu id it ja ko ms nb nl nn no pl pt ro ru sk sl sv th tr uk ur vi zh';

const ENGLISH = {
  template: '{user_name} just signed up with {offer_name}!',
  'template-past': '{user_name} signed up with {offer_name}',
  someone: 'someone',
  'some-offer': 'one of our partners',
  'close-label': 'Close',
  label: 'Signups',
};

let requested;
let builtIn;                        // by language, once the second file has come or will not come in time

// own returns what the tag says: for a kind and a language, a kind, a language, or in general.
const own = (name, codes, kind) => {
  const endings = [...codes.map(code => '-' + code), ''];
  return [...kind ? [...codes.map(code => `-${kind}-${code}`), '-' + kind] : [], ...endings].map(ending => text(name + ending)).find(word => word);
};

const load = async () => {
  const late = new Promise(done => setTimeout(done, PATIENCE));
  const file = fetch(serviceURL('proof.words.json')).then(response => response.json());
  builtIn = await Promise.race([file, late]).catch(() => {}) || {};
};

// wordsReady reports whether it is known what cards say in the page's language.
export const wordsReady = () => {
  const codes = chain(language());
  if (!requested && BUILT_IN.includes(codes[codes.length - 1]) && Object.keys(ENGLISH).some(name => !own(name, codes))) {
    requested = true;
    load();
  }
  return !requested || builtIn;
};

// wordsAbout returns the language in which a card speaks of an event, and its words. They are all of that language, or English.
export const wordsAbout = ({kind = 'signup', blank = [], ...event}, past) => {
  const code = language();
  const codes = chain(code);
  const template = past ? 'template-past' : 'template';
  const words = codes.map(code => builtIn?.[code]).find(words => words);
  const word = (name, kind) => own(name, codes, kind) || (words || ENGLISH)[name];
  if (!event.user_name || blank.includes('user_name')) event.user_name = word('someone');
  if (!event.offer_name || blank.includes('offer_name')) event.offer_name = word('some-offer');
  return {
    event,
    code: words || codes.includes('en') || own(template, codes, kind) ? code : 'en',
    template: word(template, kind),
    close: word('close-label'),
    label: word('label'),
  };
};
