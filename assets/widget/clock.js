import {MINUTE} from './time.js';

// The clock tells ages by the service's clock, as the visitor's may be wrong.
const JUST = 5 * MINUTE;            // what is older did not "just" happen

export const started = Date.now();
let skew;                           // the service's clock less ours
let since;                          // what came later, by the service's clock, is live; not known at first

export const timeOf = event => Date.parse(event.at);
export const serverTime = () => Date.now() + (skew || 0);
export const isLive = event => timeOf(event) > since;
export const age = event => Math.max(0, serverTime() - timeOf(event));
export const isPast = event => age(event) > JUST;

// knownSkew is undefined until the service, or another tab, has told the time.
export const knownSkew = () => since && skew;

// setSkew takes what was told. It is no number where a proxy changed it.
export const setSkew = told => {
  skew = told || skew || 0;
  since ??= started + skew;
};

// learnSkew is setSkew for a response that tells the time and no more: what it holds, until newest, is past.
export const learnSkew = (told, newest) => {
  skew = told || skew;
  since ??= newest;
};

// startFrom makes past what came until then.
export const startFrom = time => since = Math.max(since, time);
