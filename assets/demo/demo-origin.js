// Which line lets pages of another origin read the events.

import {$, complain, copy} from './demo-fields.js';
import {siteName} from './demo-site.js';

const why = 'A page of another origin than this service’s has to be allowed first.';
const nowhere = 'A file or a sandboxed frame has no origin (null), and no setting allows it: preview the page from a web server, such as http://localhost:8000.';

// originOf returns the origin of an address as someone types it, "null" when it has none, or nothing when it is no address.
function originOf(typed) {
  if (/^(file|data|blob|about):|^null$/i.test(typed)) return 'null';
  const local = /^(localhost|127\.0\.0\.1|\[::1\])([:/]|$)/i.test(typed);
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(typed) ? typed : (local ? 'http://' : 'https://') + typed;
  const [, scheme, any, rest] = /^(https?:\/\/)(\*\.)?(.*)$/i.exec(address) ?? [];
  if (!scheme || !/^[^/?#\s]*(\.[^/?#\s.]|localhost|\[)/i.test(rest)) return;
  try {
    return new URL(scheme + rest).origin.replace('://', '://' + (any ?? ''));
  } catch {}
}

// advice returns the line to set, if one is needed, and what to say.
function advice(typed) {
  if (!typed) return ['', why];
  const origin = originOf(typed);
  if (origin == 'null') return ['', nowhere];
  if (!origin) return ['', '', 'This is no address of a page: write one such as https://shop.example.com.'];
  if (origin == location.origin) return ['', 'Pages of this origin are always allowed: there is nothing to set.'];
  const ours = siteName() == 'default';
  const line = `${ours ? 'PROOF_ALLOWED_ORIGINS' : 'PROOF_SITES_n_ALLOWED_ORIGINS'}=${origin}`;
  return [line, 'Set this in the service’s environment, after a comma if the variable lists others, and restart it.' +
    (ours ? ' It replaces the default, which allows pages on localhost.' : ` The number n is that of PROOF_SITES_n_NAME=${siteName()}.`) +
    (origin.startsWith('https:') && location.protocol == 'http:' && !/^(localhost|127\.)/.test(location.hostname) ?
      ' A page on https loads no script from http: this service needs https too.' : '')];
}

export function allow() {
  const [line, text, wrong = ''] = advice($('address').value.trim());
  complain($('address'), wrong);
  $('allow').hidden = !line;
  $('allow-line').textContent = line;
  $('allow-help').textContent = text;
}

$('address').addEventListener('input', allow);
$('copy-allow').addEventListener('click', async () => {
  $('allow-help').textContent = await copy($('allow-line'), 'Copied.');
});
