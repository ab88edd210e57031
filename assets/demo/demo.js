// The demo page: a preview that follows the controls, a test signup, the snippet, and what the service keeps. Each has its file
// (demo-preview.js …); this one starts them and passes on what changes.

import {$, adjust, send, siteField} from './demo-fields.js';
import {refresh, refreshSoon} from './demo-kept.js';
import {allow} from './demo-origin.js';
import {fit, preview, view} from './demo-preview.js';
import {command} from './demo-send.js';
import {loadLanguages} from './demo-settings.js';
import {numbers, siteChanged, tellSite} from './demo-site.js';
import {snippet} from './demo-snippet.js';

// ---- The key comes in the fragment, which no server is sent; it is kept in memory only.

function takeKey() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (!fragment.has('key')) return;
  send.elements.key.value = fragment.get('key');
  history.replaceState(null, '', location.pathname + location.search);
  refresh();
}
takeKey();
addEventListener('hashchange', takeKey);   // pasted into the address bar while the page is open

// ---- What follows a change of a control

// look brings the numbers up to date, and the rest where they have changed.
async function look() {
  if (await numbers()) refreshSoon();
}

let settling;
function settle() {
  snippet();
  clearTimeout(settling);
  settling = setTimeout(async () => {
    if (view() == 'page') document.querySelector(`[value=${innerWidth < 768 ? 'phone' : 'desktop'}]`).checked = true;
    await look();
    snippet();                             // which depends on whether the service has the site
    preview();
  }, 300);
}

adjust.addEventListener('input', settle);
adjust.addEventListener('submit', event => event.preventDefault());
siteField.addEventListener('input', () => {  // it stands outside its form
  siteChanged();
  allow();
  settle();
  refreshSoon(600);
});

$('to-site').addEventListener('click', () => siteField.focus());

$('reset').addEventListener('click', () => {
  adjust.reset();
  $('pin').checked = false;
  siteChanged();
  snippet();
  allow();
  preview();
  look();
});

// ---- Start

setInterval(look, 3000);
document.addEventListener('heard', numbers);

// A browser may have kept, over a reload, what was chosen before: everything follows it but the view.
document.querySelector('[name=view]').checked = true;
tellSite();
fit();
command();
snippet();
allow();
loadLanguages();
look();
