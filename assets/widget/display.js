import {draw, emptyCard, isHeld, isStyled, letIn, slide} from './card.js';
import {age, isPast, serverTime, started} from './clock.js';
import {emit, host} from './element.js';
import {see, silence} from './memory.js';
import {drop, nextInLine} from './queue.js';
import {cooldown, delay, dismiss, duration, language, mayShowHere, position} from './settings.js';
import {inTurn, tell} from './tabs.js';
import {MINUTE} from './time.js';
import {wordsAbout, wordsReady} from './words.js';

// The display shows one card after the other: it is idle, showing, cooling, and idle again.
const IDLE = 0, SHOWING = 1, COOLING = 2;
const SLIDE = 1250;                 // way in or out; less where data-duration is short
const LOW = 240;                    // pixels of height that a sentence needs; in lower windows cards wait

let state = IDLE;
let timer;                          // of the state we are in
let current;                        // the event that shows ...
let drawn;                          // ... as of when
let previewed;                      // an event that is to show on this page only
let off;                            // when the card goes; 0 while it is held ...
let left;                           // ... and goes so long afterwards
let asking, release;                // our turn among all tabs: asked for, given back
let sliding;                        // milliseconds
let allowed;
let paused;                         // by the page's wish
export let shown = 0;               // cards on this page

export const narrow = matchMedia('(max-width:767px)');

// setUpDisplay is called before all else. isAllowed reports whether cards of the stream may show.
export const setUpDisplay = isAllowed => {
  allowed = isAllowed;
  sliding = Math.min(SLIDE, duration / 2.5);
  host.style.setProperty('--slide', sliding + 'ms');
};

// isCovered reports whether a card would be behind a modal dialog or beside an element in fullscreen. A browser that does not know
// one of them finds the other.
export const isCovered = () => document.querySelector(':is(:modal,:fullscreen)');

// upcoming returns the event that may show now, if any.
const upcoming = () => {
  const event = previewed || nextInLine();
  return event && !state && !paused && !document.hidden && isStyled() && wordsReady() && innerHeight >= LOW && !isCovered() &&
    (previewed || allowed() && mayShowHere()) && getComputedStyle(host).display != 'none' && event;
};

// showNext shows what waits when it may: one card at a time, in one of all visible tabs.
export const showNext = async () => {
  const event = upcoming();
  if (!event) return;
  if (!event.id) return show(event);
  if (asking) return;
  clearTimeout(timer);
  const early = started + delay - Date.now();
  if (early > 0) {
    timer = setTimeout(showNext, early);
    return;
  }
  asking = true;
  await inTurn(' card', () => new Promise(done => {
    release = done;
    if (!take(upcoming())) done();
  }));
  asking = false;
  showNext();
};

// take shows an event of the queue, unless this browser has seen it. Either way it leaves the queue.
const take = event => {
  if (!event?.id) return false;
  drop(event);
  if (!see(event.id)) return false;
  tell('seen', event);
  shown++;
  show(event);
  return true;
};

const show = event => {
  current = event;
  state = SHOWING;
  drawn = asOf();
  off = 0;
  left = duration;
  letIn(wordsAbout(event, isPast(event)), age(event), narrow.matches ? '' : position.replace('-', ' '));
  emit('show', event);
  proceed();
};

// preview shows an event as a test: once, on this page only, remembered and counted nowhere.
export const preview = event => {
  if (previewed) close('elapsed');
  previewed = {at: new Date(serverTime()), ...event, id: undefined};
  showNext();
};

// proceed takes the card to where it should be by now; also after anything that may hold it or let it go.
export const proceed = () => {
  if (state != SHOWING) return;
  clearTimeout(timer);
  const now = Date.now();
  if (paused || isHeld()) {
    if (off) left = Math.max(off - now, 2 * sliding);
    off = 0;
  } else {
    off ||= now + left;
    if (now >= off || current.id && !mayShowHere()) return close('elapsed');
    timer = setTimeout(proceed, (now < off - sliding ? off - sliding : off) - now);
  }
  slide(!off || now < off - sliding);
};

export const pause = value => {
  paused = value;
  proceed();
};

// asOf is what a card depends on as time goes by: the minutes, and the language that the page speaks.
const asOf = () => Math.floor(age(current) / MINUTE) + language();

// keepUp keeps the card up to date, once a second.
export const keepUp = () => {
  if (!current) return;
  const now = asOf();
  if (drawn != now) draw(wordsAbout(current, isPast(current)), age(current));
  drawn = now;
  proceed();                        // the focus may have gone
};

// close takes the card away. The reason is elapsed, dismissed or retracted.
export const close = reason => {
  if (state != SHOWING) return;
  const event = current;
  state = COOLING;
  clearTimeout(timer);
  timer = setTimeout(() => {
    state = IDLE;
    release?.();
    showNext();
  }, event.id ? cooldown : 0);
  current = undefined;
  emptyCard();
  emit('close', event, {reason});
  if (!event.id) previewed = undefined;
  else if (reason == 'dismissed') {
    tell('closed');
    silence(dismiss);
  }
};

export const withdraw = event => {
  drop(event);
  if (current?.id == event.id) close('retracted');
};

export const click = () => emit('click', current);

// leave closes the card and gives back our turn: the page is hidden.
export const leave = () => {
  close('elapsed');
  release?.();
};

// end is leave for good.
export const end = () => {
  leave();
  clearTimeout(timer);
};
