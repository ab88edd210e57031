import {say} from './console.js';
import {known} from './language.js';
import {matches} from './paths.js';

// The settings are what the tag says, by attributes or in the query of its address, for tag managers that drop attributes. What
// cannot be read counts as absent.
let script, query;

export let site, keyPrefix, position, duration, cooldown, delay, maxPerPage, maxPerSession, recent, dismiss, onPhones, mayStore, headless;
let showOn, hideOn;

export const text = name => (script.getAttribute('data-' + name) ?? query.get(name) ?? '').trim();

// serviceURL returns the address of a path of the service, relative to the folder of proof.js.
export const serviceURL = path => new URL(path, script.src).href;

// mayStart reports whether consent has been given, or need not be.
export const mayStart = () => text('consent') != 'wait';

// language is the first of the tag's and the page's languages that is one.
export const language = () => known(text('lang')) || known(document.documentElement.lang);

const lists = (name, value) => !text(name) || text(name).split('|').some(listed => listed.trim() == value);

// isWanted reports whether an event is one of those that the owner wants.
export const isWanted = ({offer_name, kind = 'signup'}) => lists('offer', offer_name) && lists('kind', kind);

// mayShowHere reports whether the owner wants cards on the page's path.
export const mayShowHere = () =>
  !(showOn && !matches(showOn, location.pathname)) && !(hideOn && matches(hideOn, location.pathname));

// read returns an attribute that fits, else what holds without it.
const read = (name, fits, absent, takes) => {
  const value = text(name);
  if (fits(value)) return value;
  if (value) say(`data-${name}="${value}" must be ${takes}`);
  return absent;
};
const number = (name, absent) => +read(name, value => /^\d{1,9}$/.test(value), absent, 'a number');
const choice = (name, ...words) => read(name, value => words.includes(value), words[0], words.join(' or '));
const paths = name => read(name, value => /^[/*][^,]*(, *[/*][^,]*)*$/.test(value), '', 'paths such as /shop*');

export const readSettings = tag => {
  script = tag;
  query = new URL(tag.src).searchParams;
  site = text('site') || 'default';
  keyPrefix = 'proofstream:' + site + serviceURL('..');   // two services may share an origin
  position = choice('position', 'bottom-right', 'bottom-left', 'top-right', 'top-left');
  duration = number('duration', 0) || 3500;
  cooldown = number('cooldown', 2000);
  delay = number('delay', 0);
  maxPerPage = number('max-per-page', 0) || Infinity;
  maxPerSession = number('max-per-session', 0) || Infinity;
  recent = number('recent', 0);
  showOn = paths('show-on');
  hideOn = paths('hide-on');
  dismiss = choice('dismiss', 'session', 'card', 'day', 'forever');
  onPhones = choice('mobile', 'on', 'off') == 'on';
  mayStore = choice('storage', 'on', 'off') == 'on';
  headless = choice('card', 'on', 'off') == 'off';
};
