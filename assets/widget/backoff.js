import {MINUTE, SECOND} from './time.js';

// backoff returns how long to wait, in milliseconds, after so many tries that failed: full jitter within a second, doubling to a
// minute. random is from 0 to 1.
export const backoff = (tries, random = Math.random()) => random * Math.min(MINUTE, SECOND * 2 ** tries);
