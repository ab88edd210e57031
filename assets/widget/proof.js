/*
 * proofstream: small cards that say who has just signed up.
 *
 *   <script async src="https://proof.example.com/assets/proof.js"></script>
 *
 * is all a page needs; attributes on that tag adjust it. This module puts the others together. Whatever fails, fails quietly: the
 * widget is never why a page breaks. It is served as one script, minified and compressed.
 */
import {buildCard, dodge, isStyled, refusePicture, styleCard, unstyleCard} from './card.js';
import {isLive, learnSkew, setSkew, startFrom, timeOf} from './clock.js';
import {hurry, keepConnected, lookFirst, setUpConnection, startAfresh} from './connection.js';
import {say} from './console.js';
import {click, close, end, isCovered, keepUp, leave, narrow, pause, preview, proceed, setUpDisplay, showNext, shown, withdraw} from './display.js';
import {createHost, emit, host} from './element.js';
import {keepSession, mayShowMore, silence} from './memory.js';
import {drop, enqueue, forgetWaiting, isNew, keepNewest} from './queue.js';
import {dismiss, headless, isWanted, maxPerPage, maxPerSession, mayStart, onPhones, readSettings, recent, serviceURL} from './settings.js';
import {closeChannel, isInLine, isShared, lead, leading, leaveLine, openChannel, tell, watchLeader} from './tabs.js';
import {MINUTE, SECOND} from './time.js';
import {wordsReady} from './words.js';

const CATCH_UP = 3;                 // events shown after an absence

let alive = true;                   // not destroyed, not in the back/forward cache
let pageReady;                      // the page has loaded, and a second has gone by
let ticking;
let ticked = Date.now();
let sessionKept = 0;
let hiddenAt;
let newest = 0;                     // time of the newest event
let past;                           // how many events from before the page may still show

// ---- What comes: from the stream, a look or another tab, perhaps not for the first time

const receive = (event, live) => {
  if (!timeOf(event) || !isWanted(event) || !isNew(event)) return;
  drop(event);
  newest = Math.max(newest, timeOf(event));
  live ||= isLive(event);
  if (!live && past-- <= 0) return;
  emit('signup', event);
  if (!headless) enqueue(event, live);
  showNext();
};

// What becomes of a frame of the stream ...
const frames = {
  ready({time, replay}) {
    setSkew(Date.parse(time) - Date.now());
    if (replay == 'gap') startFrom(newest);   // all that is kept follows: not once more
  },
  signup: receive,
  retract(event) {
    withdraw(event);
    emit('retract', event);
  },
};

// ... and of a word from another tab: a frame that it has heard, or what happens there.
const words = {
  ...frames,
  seen: drop,
  closed: () => silence(dismiss),
  hello: () => leading && tell('alive'),
};

// ---- When to listen and to show

const mayShow = () => isStyled() && (onPhones || !narrow.matches) && shown < maxPerPage && mayShowMore(maxPerSession);

const wanted = () => alive && pageReady && ticking && innerWidth && innerHeight && (headless || mayShow()) &&
  (!document.hidden || isShared() && !(Date.now() - hiddenAt > MINUTE));

// update starts or stops listening and showing: after anything that wanted() looks at, and each second.
const update = () => {
  if (!wanted()) leaveLine();
  else if (!isInLine()) {
    lead();
    lookFirst();
  }
  showNext();
};

const tick = () => {
  const now = Date.now();
  if (now - ticked > MINUTE) hurry();   // the computer has slept
  ticked = now;
  update();
  if (leading) keepConnected();
  watchLeader();
  if (now - sessionKept > MINUTE) {
    sessionKept = now;
    keepSession();
  }
  keepUp();
};

// ---- What the page around us does

const listening = new AbortController();
const on = (target, type, listener) => target.addEventListener(type, listener, {signal: listening.signal});

const onVisibility = () => {
  if (document.hidden) {
    hiddenAt = Date.now();
    leave();
  } else if (Date.now() - hiddenAt < MINUTE) {
    keepNewest(CATCH_UP);
  } else {
    forgetWaiting();
    startAfresh(CATCH_UP);
    past = 0;
    leaveLine();
  }
  update();
};

const onKey = event => {
  if (event.key == 'Escape' && !event.defaultPrevented && !event.isComposing && !isCovered() &&
      !event.composedPath()[0].closest?.('dialog,[popover],[type=search]')) close('dismissed');
};

// What the page's policy refuses is not asked for again, which would only fill its console.
const onRefusal = ({blockedURI, disposition}) => {
  if (disposition != 'enforce') return;
  if (['../events', '../recent', 'proof.css'].some(path => blockedURI.startsWith(serviceURL(path)))) destroy();
  refusePicture(blockedURI);
};

const begin = nonce => {
  if (ticking || !alive) return;
  ticking = setInterval(tick, SECOND);
  if (!headless) {
    wordsReady();                   // asks for them
    styleCard(nonce, update);
  }
  openChannel(words);
  update();
  on(document, 'visibilitychange', onVisibility);
  on(window, 'pagehide', () => {
    alive = false;
    closeChannel();
    update();
  });
  on(window, 'pageshow', () => {
    if (!alive) openChannel(words);
    alive = true;
    update();
  });
  on(window, 'online', () => {
    hurry();
    tick();
  });
  on(window.navigation ?? window, 'currententrychange', proceed);   // the card may have to leave at once, not at the next tick
  on(document, 'focusin', dodge);
  on(window, 'keydown', onKey);
  on(document, 'securitypolicyviolation', onRefusal);
};

const attach = () => {
  if (alive && !host.isConnected) document.body.append(host);
};

const destroy = () => {
  alive = false;
  end();
  leaveLine();
  clearInterval(ticking);
  listening.abort();
  host.remove();
};

const start = tag => {
  readSettings(tag);
  past = recent;
  createHost({
    pause() {
      pause(true);
    },
    resume() {
      pause();
      update();
    },
    consent: () => begin(tag.nonce),
    show: event => alive && !headless && preview(event),
    destroy,
  }, () => {
    unstyleCard();
    setTimeout(attach);
  });
  buildCard(proceed, () => close('dismissed'), click);
  setUpDisplay(wanted);
  setUpConnection((type, data, live) => {
    frames[type](data, live);
    tell(type, data, live);
  }, (events, date) => {
    for (const event of events) receive(event);
    learnSkew(date - Date.now(), newest);
  });
  // The page comes first: nothing of ours stands in it, and no stream opens, before it has loaded and a second has gone by.
  const loaded = () => {
    attach();
    setTimeout(() => {
      pageReady = true;
      update();
    }, SECOND);
  };
  if (document.readyState == 'complete') loaded();
  else on(window, 'load', loaded);
  const mayBegin = () => mayStart() && begin(tag.nonce);
  new MutationObserver(mayBegin).observe(tag, {attributeFilter: ['data-consent']});
  mayBegin();
};

// Our tag is found by its address: in a bundle of several scripts the current one is not it.
const found = [document.currentScript, ...document.scripts].find(script => /\/proof(\.\w+)?\.js(\?|$)/.test(script?.src));
if (customElements.get('proof-popup')) {
  // A second tag changes nothing.
} else if (found) {
  start(found);
} else {
  say('take proof.js out of the bundle');
}
