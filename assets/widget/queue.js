import {timeOf} from './clock.js';

// The queue holds the events that wait for their card.
const BACKLOG = 10;                 // events that may wait, the newest
const HANDLED = 200;                // ids that need no second look

let waiting = [];                   // {event, live}, oldest first
let handled = [];

// isNew reports whether an event has not come before.
export const isNew = ({id}) => !handled.includes(id);

// drop takes an event out, whether it waits or is still to come.
export const drop = ({id}) => {
  handled = [...handled, id].slice(-HANDLED);
  waiting = waiting.filter(({event}) => event.id != id);
};

export const enqueue = (event, live) =>
  waiting = [...waiting, {event, live}].sort((a, b) => timeOf(a.event) - timeOf(b.event)).slice(-BACKLOG);

// nextInLine returns the first live event, else the first, if any waits.
export const nextInLine = () => (waiting.find(({live}) => live) || waiting[0])?.event;

// keepNewest drops all but so many.
export const keepNewest = count => waiting = waiting.slice(-count);

// forgetWaiting drops all, as if they had never come.
export const forgetWaiting = () => {
  handled = handled.filter(id => !waiting.some(({event}) => event.id == id));
  waiting = [];
};
