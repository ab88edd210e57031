import {MINUTE} from './time.js';

// inWords returns an age in milliseconds in the words of a language: "now" under a minute, then "3 minutes ago".
export const inWords = (age, code) => {
  const minutes = Math.floor(age / MINUTE);
  if (!minutes && /^en\b/.test(code)) return 'now';   // the first formatter takes the page some 25 ms
  const [size, unit] = minutes < 1 ? [1, 'second'] : minutes < 60 ? [1, 'minute'] : minutes < 1440 ? [60, 'hour'] : [1440, 'day'];
  return new Intl.RelativeTimeFormat(code, {numeric: minutes ? 'always' : 'auto'}).format(-Math.floor(minutes / size), unit);
};
