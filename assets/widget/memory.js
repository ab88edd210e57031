import {keyPrefix, mayStore} from './settings.js';
import {DAY, MINUTE} from './time.js';

// The memory is one record per service and site in the browser; where storage is off, refused or full, in here.
const SESSION = 30 * MINUTE;
const CLOSED = 1e9;                 // cards in a session: as many as closing it stands for
const REMEMBERED = 200;             // ids

let unstored;
let record, parsed;                   // the record as it was stored when it was last looked at

const recall = () => {
  try {
    if (mayStore && record != localStorage[keyPrefix]) {
      record = localStorage[keyPrefix];
      parsed = JSON.parse(record);
    }
  } catch {
    parsed = 0;
  }
  return {...parsed, ...unstored};
};

const remember = changes => {
  unstored = {...recall(), ...changes};
  try {
    if (!mayStore) return;
    localStorage[keyPrefix] = JSON.stringify(unstored);
    unstored = {};
  } catch {}
};

// A session ends when no page of the site has been open for half an hour; meanwhile each page keeps it.
const session = () => {
  const {session} = recall();
  return session?.at > Date.now() - SESSION ? session : {};
};

export const keepSession = changes => remember({session: {...session(), ...changes, at: Date.now()}});

// mayShowMore reports whether this browser may show another card, of so many in a session.
export const mayShowMore = maxPerSession => !(session().count >= Math.min(maxPerSession, CLOSED) || recall().until > Date.now());

// see remembers and counts a card. It returns false if this browser has shown it in the last day.
export const see = id => {
  const seen = [].concat(recall().seen).filter(entry => entry?.[1] > Date.now() - DAY);
  if (seen.some(entry => entry[0] == id)) return false;
  remember({seen: [...seen, [id, Date.now()]].slice(-REMEMBERED)});
  keepSession({count: (session().count | 0) + 1});
  return true;
};

// silence keeps what closing means: for this card, this session, a day or ever.
export const silence = dismiss => {
  if (dismiss == 'session') keepSession({count: CLOSED});
  else if (dismiss != 'card') remember({until: dismiss == 'day' ? Date.now() + DAY : 9e15});
};
