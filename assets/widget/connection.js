import {backoff} from './backoff.js';
import {say} from './console.js';
import {recent, serviceURL, site} from './settings.js';
import {MINUTE, SECOND} from './time.js';

// The connection is the stream, or, where that is held back, a look at the newest events from time to time.
const SILENCE = 5 * MINUTE;         // without any event a stream may be half open; spread by a fifth
const OPENING = 20 * SECOND;        // for the first frame of a stream; then GET /recent helps out ...
const LOOK_EVERY = 30 * SECOND;     // ... this often
const RETRY = 50 * SECOND;          // for the browser's own attempt: the longest `retry`, and an opening
const NEWEST = 10;                  // events asked for where no stream opens

let source;
let retrying;                       // timer of the next try
let due;                            // when the stream is given up, or tried again
let lookAt = 0;                     // when /recent is asked; 0 is not at all
let tries = 0;                      // of our own, since the last frame
let denied;                         // the service does not know the site, or the page's origin may not read it
let leftAlone;                      // the browser's one try of its own is under way
let begun;                          // something has been heard
let asked;                          // for so many of the newest events as we begin to listen; unset is as many as the tag says
let kept;                           // so many of the next signups may be those
let onFrame, onLook;
export let lastId = '';

// setUpConnection is called before all else. hear(type, data, live) follows a frame of the stream; live unless the event may have been kept
// for long. looked(events, date) follows a look: the newest events, oldest first, and the service's time in milliseconds.
export const setUpConnection = (hear, looked) => {
  onFrame = hear;
  onLook = looked;
  asked = recent;
};

// followOn takes another tab's last id.
export const followOn = id => lastId = id;

const url = (path, parameters) => serviceURL(path) + '?' + new URLSearchParams({site, ...parameters});

const expect = delay => {
  due = Date.now() + delay;
  lookAt ||= Date.now() + OPENING;
};

export const openStream = () => {
  expect(OPENING);
  source = new EventSource(url('../events', {last_event_id: lastId, recent: asked}));
  kept = asked;
  for (const type of ['ready', 'signup', 'retract', 'busy']) source.addEventListener(type, hear);
  source.onerror = () => {
    // After CLOSED the browser never reconnects; otherwise it does by itself, and is given one try.
    if (source.readyState == 2 || leftAlone) lose();
    else {
      expect(RETRY);
      leftAlone = true;
    }
  };
};

export const closeStream = () => {
  clearTimeout(retrying);
  source?.close();
  source = undefined;
  tries = 0;
  leftAlone = false;
};

// startAfresh forgets what has been heard: the next stream begins with so many of the newest events.
export const startAfresh = newest => {
  lastId = '';
  asked = newest;
};

// hurry makes a try, or a new stream, due.
export const hurry = () => due = 0;

// retryIn closes the stream; the next try follows after delay.
const retryIn = delay => {
  source.close();
  source = undefined;
  expect(delay);
  clearTimeout(retrying);
  retrying = setTimeout(keepConnected, delay);
};

// lose closes a stream that has failed.
const lose = () => {
  retryIn(backoff(tries++) + (denied ? MINUTE : 0));
  if (tries == 1 && !lastId) look();   // which can tell why
};

const hear = ({type, data, lastEventId}) => {
  begun = true;
  tries = 0;
  denied = false;
  expect(SILENCE * (.8 + Math.random() * .4));
  lookAt = 0;
  // The service ends the stream after `busy`, which is a line on the console. The first time the browser returns after `retry`, which a page
  // cannot read; then we close before that line, and wait as long as a full house asks for.
  if (type == 'busy') {
    if (leftAlone) retryIn(MINUTE * (.1 + Math.random() * .4));
    return;
  }
  leftAlone = false;
  lastId = lastEventId;
  try {
    data = {id: lastId, ...JSON.parse(data)};
  } catch {
    return;                         // a proxy changed it
  }
  if (data.replay) kept = data.replay == 'fresh' ? kept : data.replay == 'gap' ? Infinity : 0;
  onFrame(type, data, type == 'signup' && --kept < 0);
};

// look asks for the newest events.
const look = async () => {
  try {
    const response = await fetch(url('../recent', {limit: asked || (begun ? NEWEST : 1)}), {signal: AbortSignal.timeout?.(OPENING)});
    denied = /403|404/.test(response.status);
    const {events, last_event_id, detail} = await response.json().catch(() => ({}));
    if (denied) {
      expect(MINUTE);
      lookAt = due + 9 * MINUTE;   // each refusal is a line on the console; a stream tells when it is over
      return say(detail ? `${detail} (data-site: ${site})` : `no service at ${serviceURL('..')}: keep proof.js out of the optimiser`);
    }
    begun = true;
    asked = 0;
    lastId ||= last_event_id;
    onLook(events.reverse(), Date.parse(response.headers.get('date')));
  } catch {}
};

// lookFirst asks for the events from before, if any are wanted, however long the stream takes.
export const lookFirst = () => asked && look();

// keepConnected, at least once a second while we lead, does what is due.
export const keepConnected = () => {
  const now = Date.now();
  if (now >= due) {
    if (source) lose();
    else openStream();
  }
  if (lookAt && now > lookAt) {
    lookAt = now + LOOK_EVERY;
    look();
  }
};
