// The site that the controls name: whether the service has it, whether it is the API key's, and its numbers of the moment.

import {$, complain, siteField} from './demo-fields.js';
import {ask} from './demo-service.js';

export const siteName = () => siteField.value.trim() || 'default';

let unknown;   // the site that the service says it does not have
let foreign;   // the site that is not the API key's

// siteTrouble says what is wrong with the site, or returns an empty text. A foreign key is of no matter to a snippet.
export function siteTrouble(withKey) {
  const site = siteName();
  if (!siteField.validity.valid) return siteField.dataset.rule;
  if (site == unknown) return `This service has no site called ${site}. Correct the name, or add the site to the service as PROOF_SITES_n_NAME.`;
  if (withKey && site == foreign) return `The API key belongs to another site, not to ${site}: a signup would show there. Correct the site or the key.`;
  return '';
}

export const tellSite = () => {
  complain(siteField, siteTrouble(true));
  $('site-name').textContent = siteName();
};

// differ reports whether two lists of newest signups are of different sites. Two empty lists do not tell.
const differ = (kept, recent) => kept.length + recent.length > 0 && !kept.some(event => recent.some(({id, at}) => id == event.id && at == event.at));

// compare takes the newest kept signups of the API key's site, and finds out whether they are the named site's. What seems to differ is
// looked at again: a signup may have been posted or erased between the two requests.
export async function compare(kept, again) {
  const site = siteName();
  if (siteTrouble()) return;
  const {status, data} = await ask('recent?limit=20&site=' + encodeURIComponent(site));
  if (status != 200) return;
  const differs = differ(kept, data.events) && differ(await again() ?? data.events, data.events);
  if (site != siteName()) return;
  foreign = differs ? site : '';
  tellSite();
}

// forgetKey takes back what was said about the API key and the site.
export function forgetKey() {
  foreign = '';
  tellSite();
}

function show(subscribers, events) {
  $('subscribers').textContent = subscribers?.toLocaleString() ?? '–';
  $('events').textContent = events?.toLocaleString() ?? '–';
  const watching = subscribers > 1 ? ` ${subscribers.toLocaleString()} browsers watch it now.` : '';
  const site = siteTrouble() ? 'its site' : 'the site ' + siteName();
  $('audience').textContent = `A signup that you send is real: every visitor of ${site} sees it.${watching}`;
}

let shownFor;   // the site and the number of kept signups that show

// numbers brings the numbers up to date, and reports whether other signups are kept than before.
export async function numbers() {
  const site = siteName();
  if (document.hidden || siteTrouble()) return;
  const {status, data} = await ask('stats?site=' + encodeURIComponent(site));
  if (site != siteName()) return;
  unknown = status == 404 && data.detail ? site : '';
  if (status == 200 || unknown) show(data.subscribers, data.events);
  tellSite();
  const changed = status == 200 && shownFor != site + data.events;
  if (changed) shownFor = site + data.events;
  return changed;
}

// siteChanged forgets what was learned about the site named before.
export function siteChanged() {
  unknown = foreign = '';
  show();
  tellSite();
}
