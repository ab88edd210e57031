import {knownSkew, setSkew} from './clock.js';
import {closeStream, followOn, lastId, openStream} from './connection.js';
import {keyPrefix} from './settings.js';
import {SECOND} from './time.js';

// The tabs are all pages of this browser with the widget for one site. One of them leads: it reads the stream, for all.
const LEADS_EVERY = 5 * SECOND;     // a leader tells the other tabs that it is alive
const LEADER_LOST = 20 * SECOND;    // without a word from the leader, a visible tab takes its place

let {locks} = navigator;            // 0 where they are of no use
let channel;
let place;                          // gives up leadership, or the wait for it
let heard;                          // when the leading tab last said something
export let leading = false;

// openChannel listens to the other tabs. words has what to do with each word of theirs. A leader adds what it knows to each.
export const openChannel = words => {
  if (!window.BroadcastChannel) return;
  channel = new BroadcastChannel(keyPrefix);
  channel.onmessage = ({data: {type, data, live, news}}) => {
    if (news) {
      heard = Date.now();
      if (news.skew != null) setSkew(news.skew);   // a leader that has heard nothing yet knows no time
      followOn(news.lastId);
    }
    words[type]?.(data, live);
  };
};

export const closeChannel = () => channel?.close();

export const tell = (type, data, live) => channel?.postMessage({type, data, live, news: leading && {skew: knownSkew(), lastId}});

// inTurn waits for our turn among all tabs, or takes it from a tab that does not answer. Where the browser has no locks, or refuses them,
// each tab takes it at once.
export const inTurn = async (name, turn, signal, steal) => {
  try {
    await locks.request(keyPrefix + name, steal ? {steal} : {signal}, turn);
  } catch ({name}) {
    if (name == 'AbortError') return;   // given up, or taken from us
    locks = 0;
    try {
      await turn();
    } catch {}
  }
};

// isInLine reports whether we lead or wait to; isShared, whether no other tab does.
export const isInLine = () => place;
export const isShared = () => locks && place;

export const lead = async steal => {
  const {signal} = place = new AbortController();
  heard = Date.now();
  tell('hello');
  await inTurn('', () => signal.aborted || new Promise(done => {
    signal.onabort = done;
    leading = true;
    openStream();
  }), signal, steal);
  if (!signal.aborted) leaveLine();   // another tab leads now: this one has been frozen
};

export const leaveLine = () => {
  place?.abort();
  place = undefined;
  leading = false;
  closeStream();
};

// watchLeader, once a second, tells that we lead, or sees that nobody does.
export const watchLeader = () => {
  const silent = Date.now() - heard;
  if (leading && silent > LEADS_EVERY) {
    heard = Date.now();
    tell('alive');
  }
  if (!leading && place && channel && !document.hidden && silent > LEADER_LOST) {
    leaveLine();
    lead(true);
  }
};
